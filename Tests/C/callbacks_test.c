/* Callbacks: their numbers come back, their lies are found, their threads are safe. */
#include "check.h"
#include "fixtures.h"

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INPUTS = 64, CLASSES = 4 };

static int count_steps(void *user_data, const dafl_progress *progress) {
    *(int64_t *)user_data = progress->step;
    return 0;
}

static void test_answers(void) {
    static const int answers[] = {42, 1, INT_MAX, -77, INT_MIN};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        test_teacher state;
        dafl_teacher teacher = make_teacher(&state, i % 2);
        dafl_distillation_options options = small_options();
        dafl_distillation *distillation = NULL;
        WORKS(dafl_distillation_create(&teacher, &options, &distillation));
        if (!distillation) return;

        state.answer = answers[i];
        CHECK(dafl_distillation_run(distillation, NULL, NULL) == answers[i]);
        state.answer = 0;
        state.backward_answer = answers[i];
        CHECK(dafl_distillation_run(distillation, NULL, NULL) == answers[i]);
        state.backward_answer = 0;
        int64_t steps = 0;
        WORKS(dafl_distillation_run(distillation, count_steps, &steps));
        CHECK(steps == options.steps);

        float images[2 * INPUTS], logits[2 * CLASSES];
        state.answer = answers[i];
        CHECK(dafl_distillation_generate(distillation, 2, images, logits) == answers[i]);
        dafl_distillation_destroy(distillation);
    }

    /* A teacher that fails from its very first call, whenever that is. */
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, false);
    dafl_distillation_options options = small_options();
    dafl_distillation *distillation = NULL;
    state.answer = 42;
    dafl_status status = dafl_distillation_create(&teacher, &options, &distillation);
    if (status == DAFL_OK) status = dafl_distillation_step(distillation, NULL);
    CHECK(status == 42);
    dafl_distillation_destroy(distillation);
}

/* What a distillation with this teacher answers first that is not OK, in its creation or two steps. */
static dafl_status first_error(fault fault, bool shows_features, bool from_the_start) {
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, shows_features);
    dafl_distillation_options options = small_options();
    dafl_distillation *distillation = NULL;
    if (from_the_start) state.fault = fault;
    dafl_status status = dafl_distillation_create(&teacher, &options, &distillation);
    CHECK((status == DAFL_OK) == (distillation != NULL));
    state.fault = fault;
    for (int step = 0; step < 2 && status == DAFL_OK; step++) status = dafl_distillation_step(distillation, NULL);
    dafl_distillation_destroy(distillation);
    return status;
}

static void test_lies(void) {
    for (int features = 0; features < 2; features++) {
        for (int from_the_start = 0; from_the_start < 2; from_the_start++) {
            WORKS(first_error(HONEST, features, from_the_start));
            EXPECT(DAFL_ERROR_TEACHER, first_error(NAN_LOGITS, features, from_the_start));
            EXPECT(DAFL_ERROR_TEACHER, first_error(INFINITE_LOGITS, features, from_the_start));
            EXPECT(DAFL_ERROR_TEACHER, first_error(NO_LOGITS, features, from_the_start));
            EXPECT(DAFL_ERROR_TEACHER, first_error(NAN_GRADIENT, features, from_the_start));
            EXPECT(DAFL_ERROR_TEACHER, first_error(NO_GRADIENT, features, from_the_start));
        }
        /* Finite, but not the derivative: found by comparison, and told in numbers. */
        static const fault wrong[] = {HALF_GRADIENT, NEGATED_GRADIENT, FEATURES_FORGOTTEN};
        for (int i = 0; i < 2 + features; i++) {
            EXPECT(DAFL_ERROR_TEACHER, first_error(wrong[i], features, true));
            CHECK(strpbrk(dafl_last_error(), "0123456789") != NULL);
        }
    }
    EXPECT(DAFL_ERROR_TEACHER, first_error(NAN_FEATURES, true, true));
    EXPECT(DAFL_ERROR_TEACHER, first_error(NAN_FEATURES, true, false));
}

/* R = sum over pixels of (their mean over the batch - 1/2)^2, and lies about it. */
typedef struct {
    test_teacher teacher; /* first, for the other callbacks */
    int answer, calls;
    bool forgets_value, is_nan;
    float factor;
    double value;
} test_regularizer;

static int regularize(void *user_data, int64_t count, const float *images, double *value, float *images_gradient) {
    test_regularizer *regularizer = user_data;
    regularizer->calls++;
    if (regularizer->answer != 0) return regularizer->answer;
    regularizer->value = 0;
    for (int p = 0; p < INPUTS; p++) {
        double mean = 0;
        for (int64_t i = 0; i < count; i++) mean += images[i * INPUTS + p] / (double)count;
        regularizer->value += (mean - 0.5) * (mean - 0.5);
        for (int64_t i = 0; i < count; i++) {
            images_gradient[i * INPUTS + p] = regularizer->factor * 2 * (float)((mean - 0.5) / (double)count);
        }
    }
    if (!regularizer->forgets_value) *value = regularizer->value;
    if (regularizer->is_nan) images_gradient[0] = NAN;
    return 0;
}

static void test_regularizer_callback(void) {
    test_regularizer state = {.factor = 1};
    dafl_teacher teacher = make_teacher(&state.teacher, true);
    teacher.regularizer = regularize;
    dafl_distillation_options options = small_options();
    options.regularizer_weight = 2;
    dafl_distillation *distillation = NULL;
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    CHECK(state.calls > 1); /* its gradient was compared with differences of its value */
    dafl_progress progress = {.struct_size = sizeof progress};
    int calls = state.calls;
    WORKS(dafl_distillation_step(distillation, &progress));
    CHECK(state.calls == calls + 1 && progress.regularizer_loss == state.value);
    double sum = options.one_hot_weight * progress.one_hot_loss + options.activation_weight * progress.activation_loss
        + options.entropy_weight * progress.entropy_loss + 2 * state.value;
    CHECK(fabs(progress.generator_loss - sum) < 1e-12);
    CHECK(progress.teacher_calls == state.teacher.calls + state.calls);

    state.answer = 42;
    EXPECT(42, dafl_distillation_step(distillation, &progress));
    state.answer = 0;
    state.forgets_value = true;
    EXPECT(DAFL_ERROR_TEACHER, dafl_distillation_step(distillation, &progress));
    state.forgets_value = false;
    state.is_nan = true;
    EXPECT(DAFL_ERROR_TEACHER, dafl_distillation_step(distillation, &progress));
    state.is_nan = false;
    WORKS(dafl_distillation_run(distillation, NULL, NULL));
    dafl_distillation_destroy(distillation);

    state.factor = 0.5f;
    EXPECT(DAFL_ERROR_TEACHER, dafl_distillation_create(&teacher, &options, &distillation));
    CHECK(strstr(dafl_last_error(), "regularizer") != NULL);
    options.regularizer_weight = 0; /* not asked, so not wrong */
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    dafl_distillation_destroy(distillation);
}

/* Every use of a handle that is busy is refused. */
static void use_busy(void *distillation) {
    dafl_network *copy = NULL;
    float image[INPUTS];
    EXPECT(DAFL_ERROR_BUSY, dafl_distillation_step(distillation, NULL));
    EXPECT(DAFL_ERROR_BUSY, dafl_distillation_run(distillation, NULL, NULL));
    EXPECT(DAFL_ERROR_BUSY, dafl_distillation_generate(distillation, 1, image, NULL));
    EXPECT(DAFL_ERROR_BUSY, dafl_distillation_student(distillation, &copy));
    EXPECT(DAFL_ERROR_BUSY, dafl_distillation_generator(distillation, &copy));
    CHECK(copy == NULL);
}

static void *use_busy_in_thread(void *distillation) {
    use_busy(distillation);
    return NULL;
}

static void use_busy_here_and_there(void *distillation) {
    pthread_t thread;
    use_busy(distillation);
    pthread_create(&thread, NULL, use_busy_in_thread, distillation);
    pthread_join(thread, NULL);
}

/* Between two steps the thread of the callback, and no other, may look at the distillation; it may not go on with it. */
static int use_busy_on_progress(void *distillation, const dafl_progress *progress) {
    dafl_network *student = NULL, *generator = NULL;
    dafl_progress seen = {.struct_size = sizeof seen};
    float image[INPUTS], logits[CLASSES];
    pthread_t thread;
    pthread_create(&thread, NULL, use_busy_in_thread, distillation);
    pthread_join(thread, NULL);
    EXPECT(DAFL_ERROR_BUSY, dafl_distillation_step(distillation, NULL));
    EXPECT(DAFL_ERROR_BUSY, dafl_distillation_run(distillation, NULL, NULL));
    WORKS(dafl_distillation_progress(distillation, &seen));
    CHECK(seen.step == progress->step);
    WORKS(dafl_distillation_generate(distillation, 1, image, logits));
    WORKS(dafl_distillation_student(distillation, &student));
    WORKS(dafl_distillation_generator(distillation, &generator));
    dafl_network_destroy(student);
    dafl_network_destroy(generator);
    return 0;
}

static void use_another(void *network) {
    float image[INPUTS] = {0}, logits[CLASSES];
    WORKS(dafl_network_predict(network, image, 1, logits));
}

static void test_busy(void) {
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, false);
    dafl_distillation_options options = small_options();
    options.steps = 2;
    dafl_distillation *distillation = NULL;
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    state.during_forward = use_busy_here_and_there;
    state.during_forward_data = distillation;
    WORKS(dafl_distillation_step(distillation, NULL));
    WORKS(dafl_distillation_run(distillation, use_busy_on_progress, distillation));
    CHECK(strcmp(dafl_last_error(), "") == 0); /* what was refused inside is not what happened here */
    dafl_distillation_destroy(distillation);

    /* Another handle may well be used there. */
    distillation = NULL;
    state.during_forward = use_another;
    state.during_forward_data = make_network("mlp-64-16-4", 1);
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    WORKS(dafl_distillation_run(distillation, NULL, NULL));
    dafl_distillation_destroy(distillation);
    dafl_network_destroy(state.during_forward_data);
}

typedef struct {
    dafl_distillation *distillation;
    atomic_bool running;
} cancellation;

static void note_running(void *user_data) {
    atomic_store(&((cancellation *)user_data)->running, true);
}

static void *cancel_when_running(void *user_data) {
    cancellation *state = user_data;
    while (!atomic_load(&state->running)) usleep(100);
    usleep(20000);
    dafl_distillation_cancel(state->distillation);
    return NULL;
}

static void cancel_now(void *distillation) {
    dafl_distillation_cancel(distillation);
}

static void test_cancel(void) {
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, false);
    dafl_distillation_options options = small_options();
    options.steps = 1000000;
    cancellation cancelled = {.distillation = NULL};
    WORKS(dafl_distillation_create(&teacher, &options, &cancelled.distillation));
    if (!cancelled.distillation) return;
    state.during_forward = note_running;
    state.during_forward_data = &cancelled;

    dafl_progress before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        atomic_store(&cancelled.running, false);
        pthread_create(&thread, NULL, cancel_when_running, &cancelled);
        EXPECT(DAFL_CANCELLED, dafl_distillation_run(cancelled.distillation, NULL, NULL));
        pthread_join(thread, NULL);
        WORKS(dafl_distillation_step(cancelled.distillation, &before)); /* and it goes on */
        WORKS(dafl_distillation_step(cancelled.distillation, &after));
        CHECK(after.step == before.step + 1 && after.steps == options.steps);
    }

    state.during_forward = cancel_now;
    state.during_forward_data = cancelled.distillation;
    EXPECT(DAFL_CANCELLED, dafl_distillation_run(cancelled.distillation, NULL, NULL));
    EXPECT(DAFL_CANCELLED, dafl_distillation_step(cancelled.distillation, NULL));
    state.during_forward = NULL;
    WORKS(dafl_distillation_step(cancelled.distillation, NULL));
    dafl_distillation_destroy(cancelled.distillation);
}

static void test_counts(void) {
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, true);
    dafl_distillation_options options = small_options();
    dafl_distillation *distillation = NULL;
    dafl_progress progress = {.struct_size = sizeof progress};
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    for (int i = 0; i < 3; i++) {
        WORKS(dafl_distillation_step(distillation, &progress));
        CHECK(progress.step == i + 1 && progress.steps == options.steps);
        CHECK(progress.teacher_calls == state.calls);
        CHECK(progress.teacher_images == state.forward_images);
    }
    dafl_distillation_destroy(distillation);
}

/* A label must not be read from an answer that is missing or no number. */
static void test_answers_that_are_none(void) {
    for (int answers = 0; answers <= DAFL_ANSWERS_LABELS; answers++) {
        for (fault fault = NAN_LOGITS; fault <= NO_LOGITS; fault++) {
            test_teacher state;
            dafl_teacher teacher = make_teacher(&state, false);
            dafl_distillation_options options = small_options();
            dafl_distillation *distillation = NULL;
            teacher.backward = NULL;
            teacher.answers = answers;
            state.as_probabilities = answers == DAFL_ANSWERS_PROBABILITIES;
            WORKS(dafl_distillation_create(&teacher, &options, &distillation));
            state.fault = fault;
            EXPECT(DAFL_ERROR_TEACHER, dafl_distillation_step(distillation, NULL));
            state.fault = HONEST;
            WORKS(dafl_distillation_step(distillation, NULL));
            dafl_distillation_destroy(distillation);
        }
    }
}

static void test_logits_that_are_called_probabilities(void) {
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, false);
    dafl_distillation_options options = small_options();
    dafl_distillation *distillation = NULL;
    teacher.backward = NULL;
    teacher.answers = DAFL_ANSWERS_PROBABILITIES;
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    EXPECT(DAFL_ERROR_TEACHER, dafl_distillation_step(distillation, NULL));
    CHECK(strstr(dafl_last_error(), "probabilities") != NULL);
    dafl_distillation_destroy(distillation);
}

/* The limit is never passed, the run ends well when it is reached, and what was learned is there. */
static void test_query_limit(void) {
    for (int64_t limit = 90; limit < 96; limit++) {
        test_teacher state;
        dafl_teacher teacher = make_teacher(&state, false);
        dafl_distillation_options options = small_options();
        teacher.backward = NULL;
        options.steps = 1000000;
        options.max_teacher_queries = limit; /* a step asks for 16 images of the generator and 2 times 16 of the student */
        dafl_distillation *distillation = NULL;
        dafl_progress progress = {.struct_size = sizeof progress};
        dafl_network *student = NULL;
        int64_t steps = 0;
        WORKS(dafl_distillation_create(&teacher, &options, &distillation));
        WORKS(dafl_distillation_run(distillation, count_steps, &steps));
        CHECK(steps == 1 && state.forward_images <= limit && state.forward_images > limit - 16);
        EXPECT(DAFL_QUERIES_SPENT, dafl_distillation_step(distillation, &progress));
        check_message("max_teacher_queries", "", __FILE__, __LINE__, "a spent teacher");
        WORKS(dafl_distillation_student(distillation, &student));
        dafl_network_destroy(student);
        dafl_distillation_destroy(distillation);
    }
}

static void *distil_alone(void *out) {
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, true);
    dafl_distillation_options options = small_options();
    dafl_distillation *distillation = NULL;
    if (dafl_distillation_create(&teacher, &options, &distillation) == DAFL_OK &&
        dafl_distillation_run(distillation, NULL, NULL) == DAFL_OK) {
        dafl_distillation_student(distillation, out);
    }
    dafl_distillation_destroy(distillation);
    return NULL;
}

/* Different handles work side by side, and do not change each other's numbers. */
static void test_parallel(void) {
    pthread_t threads[4];
    dafl_network *students[4] = {NULL};
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, distil_alone, &students[i]);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) {
        CHECK(students[i] != NULL && same_network(students[0], students[i]));
        dafl_network_destroy(i > 0 ? students[i] : NULL);
    }
    dafl_network_destroy(students[0]);
}

/* A child process has its parent's handles but not their threads. */
static void test_fork(void) {
    dafl_network *network = make_network("mlp-64-16-4", 1);
    dafl_distillation_options options = small_options();
    options.threads = 2;
    dafl_distillation *distillation = NULL;
    WORKS(dafl_network_set_threads(network, 2));
    WORKS(dafl_distillation_create_from_network(network, &options, &distillation));
    WORKS(dafl_distillation_step(distillation, NULL));
    float images[40 * INPUTS] = {0}, here[40 * CLASSES], there[40 * CLASSES];
    WORKS(dafl_network_predict(network, images, 40, here));

    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        bool works = dafl_network_predict(network, images, 40, there) == DAFL_OK;
        works = works && dafl_distillation_step(distillation, NULL) == DAFL_OK;
        works = works && write(ends[1], there, sizeof there) == sizeof there;
        dafl_distillation_destroy(distillation);
        dafl_network_destroy(network);
        _exit(works ? 0 : 1);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (WIFEXITED(status)) CHECK(read(ends[0], there, sizeof there) == sizeof there && memcmp(here, there, sizeof here) == 0);
    close(ends[0]);
    close(ends[1]);
    WORKS(dafl_distillation_step(distillation, NULL));
    dafl_distillation_destroy(distillation);
    dafl_network_destroy(network);
}

static void count_lines(void *lines, int level, const char *text) {
    CHECK(level >= DAFL_LOG_INFO && level <= DAFL_LOG_WARNING && text != NULL);
    ++*(int *)lines;
}

static void test_log(void) {
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, false);
    dafl_distillation_options options = small_options();
    int lines = 0;
    options.log = count_lines;
    options.log_user_data = &lines;
    dafl_distillation *distillation = NULL;
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    CHECK(lines > 0); /* what is about to work */
    WORKS(dafl_distillation_run(distillation, NULL, NULL));
    dafl_distillation_destroy(distillation);
}

void test_callbacks(void) {
    test_answers();
    test_lies();
    test_regularizer_callback();
    test_busy();
    test_cancel();
    test_counts();
    test_answers_that_are_none();
    test_logits_that_are_called_probabilities();
    test_query_limit();
    test_parallel();
    test_log();
    test_fork();
}
