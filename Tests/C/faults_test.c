/* Whatever fails at whatever call - the teacher's number, numbers that are none, a cancel - is answered; a checkpoint that is there
 * loads; and the run goes on to the bytes that it would have come to without the fault. */
#include "check.h"
#include "fixtures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUTS = 64 };
static char path[64]; /* of this process alone */

typedef enum {
    FORWARD_ANSWER,
    FORWARD_NAN,
    FORWARD_INFINITE,
    FORWARD_NOTHING,
    FEATURES_NAN,
    BACKWARD_ANSWER,
    BACKWARD_NAN,
    BACKWARD_INFINITE,
    BACKWARD_NOTHING,
    REGULARIZER_ANSWER,
    REGULARIZER_NAN,
    REGULARIZER_INFINITE,
    REGULARIZER_GRADIENT_NAN,
    REGULARIZER_GRADIENT_INFINITE,
    CANCELLED,
    PROGRESS_ANSWER,
    FAULTS
} fault_kind;

/* An honest teacher around which one call fails: the n-th of a kind. */
typedef struct {
    test_teacher honest; /* first */
    dafl_teacher calls;
    fault_kind kind;
    int nth; /* 0 for none */
    bool huge; /* gradients that are finite, and whose sums are not */
    int seen;
    dafl_distillation *distillation;
} faulty_teacher;

static bool due(faulty_teacher *self, fault_kind kind) {
    return self->kind == kind && self->nth > 0 && ++self->seen == self->nth;
}

static int forward(void *user_data, int64_t count, const float *images, float *logits, float *features) {
    faulty_teacher *self = user_data;
    if (due(self, FORWARD_ANSWER)) return 42;
    if (due(self, FORWARD_NOTHING)) return 0;
    if (due(self, CANCELLED)) dafl_distillation_cancel(self->distillation);
    int answer = self->calls.forward(&self->honest, count, images, logits, features);
    if (due(self, FORWARD_NAN)) logits[0] = NAN;
    if (due(self, FORWARD_INFINITE)) logits[0] = -INFINITY;
    if (features && due(self, FEATURES_NAN)) features[0] = NAN;
    return answer;
}

static int backward(void *user_data, int64_t count, const float *images, const float *by_logits, const float *by_features,
                    float *gradient) {
    faulty_teacher *self = user_data;
    if (due(self, BACKWARD_ANSWER)) return 42;
    if (due(self, BACKWARD_NOTHING)) return 0;
    int answer = self->calls.backward(&self->honest, count, images, by_logits, by_features, gradient);
    if (self->huge) {
        for (int64_t i = 0; i < count * INPUTS; i++) gradient[i] = 3e38f;
    }
    if (due(self, BACKWARD_NAN)) gradient[0] = NAN;
    if (due(self, BACKWARD_INFINITE)) gradient[0] = INFINITY;
    return answer;
}

static int regularizer(void *user_data, int64_t count, const float *images, double *value, float *gradient) {
    faulty_teacher *self = user_data;
    if (due(self, REGULARIZER_ANSWER)) return 42;
    *value = 0;
    for (int64_t i = 0; i < count * INPUTS; i++) {
        *value += (double)images[i] * images[i] / (double)(2 * count * INPUTS);
        gradient[i] = images[i] / (float)(count * INPUTS);
    }
    if (due(self, REGULARIZER_NAN)) *value = NAN;
    if (due(self, REGULARIZER_INFINITE)) *value = INFINITY;
    if (due(self, REGULARIZER_GRADIENT_NAN)) gradient[0] = NAN;
    if (due(self, REGULARIZER_GRADIENT_INFINITE)) gradient[count * INPUTS - 1] = -INFINITY;
    return 0;
}

static int progress(void *user_data, const dafl_progress *now) {
    (void)now;
    return due(user_data, PROGRESS_ANSWER) ? 42 : 0;
}

static dafl_status status_of(fault_kind kind) {
    switch (kind) {
    case FORWARD_ANSWER: case BACKWARD_ANSWER: case REGULARIZER_ANSWER: case PROGRESS_ANSWER: return 42;
    case CANCELLED: return DAFL_CANCELLED;
    default: return DAFL_ERROR_TEACHER;
    }
}

static dafl_teacher make_faulty(faulty_teacher *self) {
    memset(self, 0, sizeof *self);
    self->calls = make_teacher(&self->honest, true);
    dafl_teacher teacher = self->calls;
    teacher.user_data = self;
    teacher.forward = forward;
    teacher.backward = backward;
    teacher.regularizer = regularizer;
    return teacher;
}

static dafl_distillation_options options_of(const char *source, const char *checkpoint) {
    dafl_distillation_options options = small_options();
    options.image_source = source;
    options.restart_steps = 3;
    options.steps = 6;
    options.checkpoint = checkpoint;
    options.checkpoint_steps = 2;
    return options;
}

static dafl_network *student_of(dafl_distillation *distillation) {
    dafl_network *student = NULL;
    WORKS(dafl_distillation_student(distillation, &student));
    return student;
}

/* One fault in each call of a kind, until there is none left to fail. */
static void test_kind(fault_kind kind, const char *source, dafl_network *wanted) {
    dafl_distillation_options options = options_of(source, path);
    bool came = true;
    int most = getenv("DAFL_BRIEF") ? 2 : 400; /* for those that run it slowly, to look for something else */
    for (int nth = 1; came && nth < most; nth += nth < 6 ? 1 : 11) {
        faulty_teacher state;
        dafl_teacher teacher = make_faulty(&state);
        dafl_distillation *distillation = NULL, *loaded = NULL;
        remove(path);
        WORKS(dafl_distillation_create(&teacher, &options, &distillation));
        if (!distillation) return;
        state.distillation = distillation;
        state.kind = kind;
        state.nth = nth;
        dafl_status status = dafl_distillation_run(distillation, progress, &state);
        came = state.seen >= nth;
        CHECK(status == (came ? status_of(kind) : DAFL_OK));
        /* The file is of the steps that were done, and goes on as the handle does. */
        state.nth = 0;
        dafl_progress mine = {.struct_size = sizeof mine}, theirs = {.struct_size = sizeof theirs};
        WORKS(dafl_distillation_load(path, &teacher, NULL, &loaded));
        WORKS(dafl_distillation_progress(distillation, &mine));
        WORKS(dafl_distillation_progress(loaded, &theirs));
        CHECK(mine.step == theirs.step);
        WORKS(dafl_distillation_run(distillation, NULL, NULL));
        WORKS(dafl_distillation_run(loaded, NULL, NULL));
        dafl_network *own = student_of(distillation), *resumed = student_of(loaded);
        CHECK(same_network(own, wanted));
        CHECK(same_network(resumed, wanted));
        dafl_network_destroy(own);
        dafl_network_destroy(resumed);
        dafl_distillation_destroy(loaded);
        dafl_distillation_destroy(distillation);

        /* In its creation, too: no handle, no file, and what is there is no other than before. */
        state.distillation = NULL;
        state.kind = kind;
        state.seen = 0;
        state.nth = nth;
        remove(path);
        status = dafl_distillation_create(&teacher, &options, &distillation);
        if (kind == CANCELLED) {
            dafl_distillation_destroy(distillation); /* nothing was there to be cancelled */
        } else if (state.seen >= nth) {
            CHECK(status == status_of(kind) && distillation == NULL);
            CHECK(remove(path) != 0);
        } else {
            WORKS(status);
            dafl_distillation_destroy(distillation);
        }
        remove(path);
    }
}

static void test_faults_of(const char *source) {
    faulty_teacher state;
    dafl_teacher teacher = make_faulty(&state);
    dafl_distillation_options options = options_of(source, "");
    dafl_distillation *distillation = NULL;
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    WORKS(dafl_distillation_run(distillation, NULL, NULL));
    dafl_network *wanted = student_of(distillation);
    dafl_distillation_destroy(distillation);
    for (fault_kind kind = 0; kind < FAULTS; kind++) test_kind(kind, source, wanted);
    dafl_network_destroy(wanted);
}

/* Faults at random calls, several in one run, which is told to go on after each. */
static void test_random_faults(void) {
    faulty_teacher state;
    dafl_teacher teacher = make_faulty(&state);
    dafl_distillation_options options = options_of("generator", "");
    options.steps = 30;
    dafl_distillation *distillation = NULL;
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    WORKS(dafl_distillation_run(distillation, NULL, NULL));
    dafl_network *wanted = student_of(distillation);
    dafl_distillation_destroy(distillation);

    options.checkpoint = path;
    for (int round = 0; round < (getenv("DAFL_BRIEF") ? 1 : 3); round++) {
        uint64_t random = (uint64_t)round + 1;
        int faults = 0;
        remove(path);
        state = (faulty_teacher){0};
        teacher = make_faulty(&state);
        WORKS(dafl_distillation_create(&teacher, &options, &distillation));
        dafl_status status = 1;
        while (status) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            state.distillation = distillation;
            state.kind = (fault_kind)((random >> 33) % FAULTS);
            state.nth = faults < 40 ? 1 + (int)((random >> 40) % 8) : 0;
            state.seen = 0;
            status = dafl_distillation_run(distillation, progress, &state);
            CHECK(!status || status == status_of(state.kind));
            if (!status || ++faults % 3) continue;
            /* As if the host had ended: from the file. */
            dafl_distillation_destroy(distillation);
            state.nth = 0;
            state.distillation = NULL;
            WORKS(dafl_distillation_create(&teacher, &options, &distillation));
        }
        CHECK(faults > 5);
        dafl_network *student = student_of(distillation);
        CHECK(same_network(student, wanted));
        dafl_network_destroy(student);
        dafl_distillation_destroy(distillation);
    }
    remove(path);
    dafl_network_destroy(wanted);
}

static bool all_finite(dafl_network *network) {
    dafl_tensor tensor = {.struct_size = sizeof tensor};
    for (int64_t i = 0; dafl_network_tensor(network, i, &tensor) == DAFL_OK; i++) {
        for (int64_t k = 0; k < tensor.count; k++) {
            if (!isfinite(tensor.data[k])) return false;
        }
    }
    return true;
}

/* A generator, or a student, that is driven to numbers that are none. */
static void test_divergence(bool of_student) {
    faulty_teacher state;
    dafl_teacher teacher = make_faulty(&state);
    dafl_distillation_options options = options_of("generator", path);
    options.checkpoint_steps = 1;
    options.restart_steps = 0;
    options.steps = 400;
    if (of_student) {
        options.student_learning_rate = 1e6;
        options.student = "mlp-64-256-256-256-256-256-256-4";
    }
    dafl_distillation *distillation = NULL, *loaded = NULL;
    dafl_network *student = NULL;
    remove(path);
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    if (!of_student) WORKS(dafl_distillation_step(distillation, NULL));
    state.huge = !of_student;
    EXPECT(DAFL_ERROR_DIVERGED, dafl_distillation_run(distillation, NULL, NULL));
    state.huge = false;
    EXPECT(DAFL_ERROR_DIVERGED, dafl_distillation_step(distillation, NULL)); /* and stays so */
    EXPECT(DAFL_ERROR_DIVERGED, dafl_distillation_run(distillation, NULL, NULL));
    /* The student of the steps that were done is there; images are not, of such a generator. */
    WORKS(dafl_distillation_student(distillation, &student));
    CHECK(all_finite(student));
    dafl_network_destroy(student);
    float images[INPUTS];
    EXPECT(of_student ? DAFL_OK : DAFL_ERROR_DIVERGED, dafl_distillation_generate(distillation, 1, images, NULL));
    /* What the file has is the state before the step that could not be done. */
    dafl_progress mine = {.struct_size = sizeof mine}, theirs = {.struct_size = sizeof theirs};
    WORKS(dafl_distillation_load(path, &teacher, NULL, &loaded));
    WORKS(dafl_distillation_progress(distillation, &mine));
    WORKS(dafl_distillation_progress(loaded, &theirs));
    CHECK(mine.step == theirs.step);
    EXPECT(DAFL_ERROR_DIVERGED, dafl_distillation_run(loaded, NULL, NULL));
    dafl_distillation_destroy(loaded);
    dafl_distillation_destroy(distillation);
    remove(path);
}

void test_faults(void) {
    snprintf(path, sizeof path, "/tmp/dafl-faults-test-%d", (int)getpid());
    test_faults_of("generator");
    if (!getenv("DAFL_BRIEF")) test_faults_of("auto");
    test_random_faults();
    test_divergence(false);
    test_divergence(true);
}
