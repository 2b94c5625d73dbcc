/* Distillation: its arguments and options, what comes out, and that the same seed gives the same bytes. */
#include "check.h"
#include "fixtures.h"

#include <math.h>
#include <string.h>

enum { INPUTS = 64, CLASSES = 4 };

/* Creation with these is refused by this word. */
#define REFUSES_CREATION(word, value, teacher, options)                              \
    do {                                                                             \
        dafl_distillation *made = NULL;                                              \
        REFUSES(word, value, dafl_distillation_create(teacher, options, &made));     \
        CHECK(made == NULL);                                                         \
        dafl_distillation_destroy(made);                                             \
    } while (0)

static void test_null(dafl_distillation *distillation, dafl_network *network) {
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, false);
    dafl_distillation_options options = small_options();
    dafl_distillation *made = NULL;
    dafl_network *copy = NULL;
    dafl_progress stand = {0};
    float image[INPUTS];

    REFUSES("teacher", "NULL", dafl_teacher_init(NULL, sizeof teacher));
    REFUSES("options", "NULL", dafl_distillation_options_init(NULL, sizeof options));
    REFUSES("options", "NULL", dafl_distillation_options_preset(NULL, "fast"));
    REFUSES("preset", "NULL", dafl_distillation_options_preset(&options, NULL));
    REFUSES("preset", "slow", dafl_distillation_options_preset(&options, "slow"));
    REFUSES_CREATION("teacher", "NULL", NULL, &options);
    REFUSES_CREATION("options", "NULL", &teacher, NULL);
    REFUSES("out", "NULL", dafl_distillation_create(&teacher, &options, NULL));
    REFUSES("teacher", "NULL", dafl_distillation_create_from_network(NULL, &options, &made));
    REFUSES("options", "NULL", dafl_distillation_create_from_network(network, NULL, &made));
    REFUSES("out", "NULL", dafl_distillation_create_from_network(network, &options, NULL));
    REFUSES("distillation", "NULL", dafl_distillation_step(NULL, NULL));
    REFUSES("distillation", "NULL", dafl_distillation_run(NULL, NULL, NULL));
    REFUSES("distillation", "NULL", dafl_distillation_progress(NULL, &stand));
    REFUSES("out", "NULL", dafl_distillation_progress(distillation, NULL));
    REFUSES("struct_size", "0", dafl_distillation_progress(distillation, &stand));
    stand.struct_size = sizeof stand;
    WORKS(dafl_distillation_progress(distillation, &stand));
    CHECK(stand.steps > 0 && stand.step == 0);
    REFUSES("distillation", "NULL", dafl_distillation_generate(NULL, 1, image, NULL));
    REFUSES("images", "NULL", dafl_distillation_generate(distillation, 1, NULL, NULL));
    REFUSES("distillation", "NULL", dafl_distillation_student(NULL, &copy));
    REFUSES("out", "NULL", dafl_distillation_student(distillation, NULL));
    REFUSES("distillation", "NULL", dafl_distillation_generator(NULL, &copy));
    REFUSES("out", "NULL", dafl_distillation_generator(distillation, NULL));
    dafl_distillation_cancel(NULL);
    dafl_distillation_destroy(NULL);
    CHECK(made == NULL && copy == NULL);

    static const int64_t impossible[] = {INT64_MAX, INT64_C(1) << 62};
    REFUSES("count", "0", dafl_distillation_generate(distillation, 0, image, NULL));
    REFUSES("count", "-1", dafl_distillation_generate(distillation, -1, image, NULL));
    for (int i = 0; i < 2; i++) TOO_LARGE(dafl_distillation_generate(distillation, impossible[i], image, NULL));
}

static void test_teacher_descriptions(void) {
    test_teacher state;
    dafl_teacher good = make_teacher(&state, false), teacher;
    dafl_distillation_options options = small_options();
    dafl_distillation *made = NULL;

#define REFUSES_TEACHER(field, number)                              \
    do {                                                            \
        teacher = good;                                             \
        teacher.field = number;                                     \
        REFUSES_CREATION(#field, "", &teacher, &options);           \
    } while (0)
    REFUSES_TEACHER(forward, NULL);
    REFUSES_TEACHER(classes, 0);
    REFUSES_TEACHER(classes, 1);
    REFUSES_TEACHER(classes, -1);
    REFUSES_TEACHER(classes, INT64_MIN);
    REFUSES_TEACHER(features, -1);
    REFUSES_TEACHER(features, INT64_MIN);
#undef REFUSES_TEACHER

    static const int64_t shapes[][3] = {{0, 8, 8}, {1, 0, 8}, {1, 8, 0}, {-1, 8, 8}, {1, -8, 8}, {1, -8, -8},
                                        {INT64_MIN, 8, 8}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        teacher = good;
        memcpy(teacher.input_shape, shapes[i], sizeof shapes[i]);
        REFUSES_CREATION("input_shape", "", &teacher, &options);
    }
    static const int64_t too_large[][3] = {{INT64_MAX, 8, 8}, {1, INT64_MAX, INT64_MAX}, {1, INT64_C(1) << 62, 4},
                                           {INT64_C(1) << 32, INT64_C(1) << 32, 1}, {4, INT64_C(1) << 30, 1 << 30}};
    for (size_t i = 0; i < sizeof too_large / sizeof *too_large; i++) {
        teacher = good;
        memcpy(teacher.input_shape, too_large[i], sizeof too_large[i]);
        TOO_LARGE(dafl_distillation_create(&teacher, &options, &made));
        CHECK(made == NULL);
    }
    for (int i = 0; i < 2; i++) {
        teacher = good;
        teacher.classes = i ? INT64_MAX : INT64_C(1) << 62;
        TOO_LARGE(dafl_distillation_create(&teacher, &options, &made));
        teacher = good;
        teacher.features = i ? INT64_MAX : INT64_C(1) << 62;
        TOO_LARGE(dafl_distillation_create(&teacher, &options, &made));
    }

    /* As many numbers as the student takes, but in another shape. */
    teacher = good;
    teacher.input_shape[0] = 4;
    teacher.input_shape[1] = teacher.input_shape[2] = 16;
    options.student = "lenet5-half(classes=4)";
    REFUSES_CREATION("student", "[4, 16, 16]", &teacher, &options);
    options = small_options();

    /* The same numbers as other images and as a vector. */
    static const int64_t others[][3] = {{1, 2, 32}, {4, 16, 1}, {64, 1, 1}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        teacher = good;
        memcpy(teacher.input_shape, others[i], sizeof others[i]);
        WORKS(dafl_distillation_create(&teacher, &options, &made));
        WORKS(dafl_distillation_run(made, NULL, NULL));
        dafl_distillation_destroy(made);
        made = NULL;
    }

    teacher = good;
    teacher.answers = 4;
    REFUSES_CREATION("answers", "4", &teacher, &options);
    teacher.answers = INT64_MIN;
    REFUSES_CREATION("answers", "", &teacher, &options);
    teacher.answers = DAFL_ANSWERS_LABELS;
    REFUSES_CREATION("backward", "", &teacher, &options);
    teacher.backward = NULL;
    options.gradients = "teacher";
    REFUSES_CREATION("gradients", "teacher", &teacher, &options);
    options.gradients = "differences";
    REFUSES_CREATION("gradients", "labels", &teacher, &options);
    for (teacher.answers = 0; teacher.answers < DAFL_ANSWERS_LABELS; teacher.answers++) {
        dafl_progress progress = {.struct_size = sizeof progress};
        options.difference_directions = 3;
        state.as_probabilities = teacher.answers == DAFL_ANSWERS_PROBABILITIES;
        WORKS(dafl_distillation_create(&teacher, &options, &made));
        WORKS(dafl_distillation_progress(made, &progress));
        int64_t before = progress.teacher_images;
        WORKS(dafl_distillation_step(made, &progress));
        CHECK(progress.teacher_images - before == (1 + 3 + options.student_steps) * options.batch_size);
        dafl_distillation_destroy(made);
        made = NULL;
    }
    options.gradients = "auto";
    for (teacher.answers = 0; teacher.answers <= DAFL_ANSWERS_LABELS; teacher.answers++) {
        state.as_probabilities = teacher.answers == DAFL_ANSWERS_PROBABILITIES;
        WORKS(dafl_distillation_create(&teacher, &options, &made));
        WORKS(dafl_distillation_run(made, NULL, NULL));
        dafl_distillation_destroy(made);
        made = NULL;
    }
}

static void test_options(void) {
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, false);
    dafl_distillation_options good = small_options(), options;
    dafl_distillation *made = NULL;

#define REFUSES_OPTION(field, number)                               \
    do {                                                            \
        options = good;                                             \
        options.field = number;                                     \
        REFUSES_CREATION(#field, "", &teacher, &options);           \
    } while (0)
#define REFUSES_NEGATIVE(field) REFUSES_OPTION(field, -1); REFUSES_OPTION(field, INT64_MIN)
#define REFUSES_NOT_POSITIVE(field) REFUSES_OPTION(field, 0); REFUSES_NEGATIVE(field)
#define REFUSES_NOT_FINITE(field) \
    REFUSES_OPTION(field, NAN); REFUSES_OPTION(field, INFINITY); REFUSES_OPTION(field, -INFINITY)
    REFUSES_NEGATIVE(threads);
    REFUSES_OPTION(threads, 1025);
    REFUSES_OPTION(threads, INT64_MAX);
    REFUSES_OPTION(instruction_set, NULL);
    REFUSES_OPTION(instruction_set, "mmx");
    REFUSES_OPTION(convolution, NULL);
    REFUSES_OPTION(convolution, "fourier");
    REFUSES_NOT_POSITIVE(steps);
    REFUSES_NOT_POSITIVE(batch_size);
    REFUSES_NEGATIVE(student_steps);
    REFUSES_OPTION(replay_capacity, -2);
    REFUSES_NEGATIVE(restart_steps);
    REFUSES_NEGATIVE(max_teacher_queries);
    REFUSES_NOT_POSITIVE(difference_directions);
    REFUSES_OPTION(difference_directions, 1025);
    REFUSES_OPTION(difference_directions, INT64_MAX);
    REFUSES_OPTION(gradients, NULL);
    REFUSES_OPTION(gradients, "numerical");
    REFUSES_OPTION(generator, NULL);
    REFUSES_OPTION(generator, "transformer");
    REFUSES_NOT_POSITIVE(generator_width);
    REFUSES_NOT_POSITIVE(latent_size);
    REFUSES_NOT_FINITE(one_hot_weight);
    REFUSES_NOT_FINITE(activation_weight);
    REFUSES_NOT_FINITE(entropy_weight);
    REFUSES_NOT_FINITE(regularizer_weight);
    REFUSES_NOT_FINITE(temperature);
    REFUSES_OPTION(temperature, 0);
    REFUSES_OPTION(temperature, 1e-40); /* zero in float32 */
    REFUSES_OPTION(one_hot_weight, 1e300);
    REFUSES_OPTION(student_learning_rate, 1e300);
    REFUSES_OPTION(temperature, -1);
    REFUSES_NOT_FINITE(generator_learning_rate);
    REFUSES_OPTION(generator_learning_rate, -1);
    REFUSES_NOT_FINITE(student_learning_rate);
    REFUSES_OPTION(student_learning_rate, -1);
    REFUSES_NOT_FINITE(augmentation);
    REFUSES_OPTION(augmentation, -1);
    REFUSES_OPTION(student_schedule, NULL);
    REFUSES_OPTION(student_schedule, "linear");
    REFUSES_OPTION(image_source, NULL);
    REFUSES_OPTION(image_source, "photographs");
    REFUSES_OPTION(label_weight, 0.5); /* without labels */
    REFUSES_OPTION(label_weight, 1.1);
    REFUSES_NOT_FINITE(label_weight);
    REFUSES_OPTION(mimic_weight, -1);
    REFUSES_NOT_FINITE(mimic_weight);
    REFUSES_OPTION(mimic_weight, 1); /* a teacher without features */
    REFUSES_NOT_POSITIVE(metadata_steps);
    REFUSES_OPTION(student, NULL);
    REFUSES_OPTION(student, "lenet6");
    REFUSES_OPTION(student, "mlp-63-4"); /* not the teacher's input */
    REFUSES_OPTION(student, "lenet5-half");
    REFUSES_OPTION(student, "mlp-64-5"); /* not the teacher's classes */

#define OPTION_TOO_LARGE(field)                                                  \
    for (int i = 0; i < 2; i++) {                                                \
        options = good;                                                          \
        options.field = i ? INT64_MAX : INT64_C(1) << 62;                        \
        TOO_LARGE(dafl_distillation_create(&teacher, &options, &made));          \
        CHECK(made == NULL);                                                     \
    }
    OPTION_TOO_LARGE(batch_size)
    OPTION_TOO_LARGE(replay_capacity)
    OPTION_TOO_LARGE(generator_width)
    OPTION_TOO_LARGE(latent_size)

    /* Numbers that cost time rather than memory may be as large as they like. */
    options = good;
    options.steps = options.restart_steps = INT64_MAX;
    WORKS(dafl_distillation_create(&teacher, &options, &made));
    WORKS(dafl_distillation_step(made, NULL));
    WORKS(dafl_distillation_step(made, NULL));
    dafl_distillation_destroy(made);
    made = NULL;

    /* Instruction sets: what the processor has, and nothing else. */
    options = good;
    options.instruction_set = "baseline";
    options.convolution = "direct";
    WORKS(dafl_distillation_create(&teacher, &options, &made));
    WORKS(dafl_distillation_step(made, NULL));
    dafl_distillation_destroy(made);
    made = NULL;

    /* The preset keeps what is the caller's own. */
    options = good;
    options.seed = 7;
    options.threads = 2;
    options.batch_size = 3;
    WORKS(dafl_distillation_options_preset(&options, "paper"));
    CHECK(options.seed == 7 && options.threads == 2 && strcmp(options.student, good.student) == 0);
    CHECK(options.replay_capacity == 0 && options.batch_size != 3);
    WORKS(dafl_distillation_options_preset(&options, "fast"));
    WORKS(dafl_distillation_options_init(&good, sizeof good));
    CHECK(options.batch_size == good.batch_size && options.steps == good.steps);
}

/* Images and metadata of the host's: what is missing or wrong is refused, what is right is learned from. */
static void test_images_of_the_host(void) {
    enum { COUNT = 40, FEATURES = 8 };
    float images[COUNT * INPUTS], means[2 * FEATURES], deviations[2 * FEATURES];
    int64_t labels[COUNT];
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, true);
    dafl_distillation_options good = small_options(), options;
    dafl_distillation *made = NULL;
    fill_random(images, COUNT * INPUTS, 1);
    fill_random(means, 2 * FEATURES, 2);
    for (int i = 0; i < COUNT; i++) labels[i] = i % CLASSES;
    for (int i = 0; i < 2 * FEATURES; i++) deviations[i] = 0.1f;

    good.image_source = "data";
    good.images = images;
    good.labels = labels;
    good.image_count = COUNT;
    good.label_weight = good.mimic_weight = 0.5;
    good.student = "mlp-64-16-4";
    REFUSES_OPTION(images, NULL);
    REFUSES_NOT_POSITIVE(image_count);
    REFUSES_OPTION(image_count, INT64_MAX);
    labels[39] = CLASSES;
    REFUSES_CREATION("labels[39]", "4", &teacher, &good);
    labels[39] = -1;
    REFUSES_CREATION("labels[39]", "-1", &teacher, &good);
    labels[39] = 3;
    images[COUNT * INPUTS - 1] = NAN;
    REFUSES_CREATION("image 39", "nan", &teacher, &good);
    images[COUNT * INPUTS - 1] = 0;
    WORKS(dafl_distillation_create(&teacher, &good, &made));
    WORKS(dafl_distillation_run(made, NULL, NULL));
    float sample[3 * INPUTS], logits[3 * CLASSES];
    WORKS(dafl_distillation_generate(made, 3, sample, logits));
    for (int i = 0; i < 3; i++) {
        bool found = false;
        for (int j = 0; j < COUNT; j++) found |= !memcmp(sample + i * INPUTS, images + j * INPUTS, INPUTS * sizeof *images);
        CHECK(found);
    }
    dafl_distillation_destroy(made);
    made = NULL;

    good.image_source = "generator";
    REFUSES_CREATION("images", "given", &teacher, &good);

    good = small_options();
    good.image_source = "metadata";
    good.metadata_means = means;
    good.metadata_deviations = deviations;
    good.metadata_groups = 2;
    good.metadata_steps = 3;
    REFUSES_OPTION(metadata_means, NULL);
    REFUSES_OPTION(metadata_deviations, NULL);
    REFUSES_NOT_POSITIVE(metadata_groups);
    means[15] = INFINITY;
    REFUSES_CREATION("metadata_means[15]", "inf", &teacher, &good);
    means[15] = 0;
    good.image_source = "noise";
    REFUSES_CREATION("metadata_means", "given", &teacher, &good);
    good.image_source = "metadata";
    dafl_teacher without = make_teacher(&state, false);
    REFUSES_CREATION("image_source", "metadata", &without, &good);
    make_teacher(&state, true);
    WORKS(dafl_distillation_create(&teacher, &good, &made));
    WORKS(dafl_distillation_run(made, NULL, NULL));
    WORKS(dafl_distillation_generate(made, 3, sample, logits));
    dafl_distillation_destroy(made);
}

static void test_structs(void) {
    struct { dafl_teacher known; unsigned char unknown[16]; } teacher;
    struct { dafl_distillation_options known; unsigned char unknown[16]; } options;
    struct { dafl_progress known; unsigned char unknown[16]; } progress;
    test_teacher state;
    dafl_distillation *made = NULL;

    static const size_t too_small[] = {0, 4, 8};
    for (int i = 0; i < 3; i++) {
        REFUSES("struct_size", "", dafl_teacher_init(&teacher.known, too_small[i]));
        REFUSES("struct_size", "", dafl_distillation_options_init(&options.known, too_small[i]));
        teacher.known = make_teacher(&state, false);
        options.known = small_options();
        options.known.struct_size = too_small[i];
        REFUSES("struct_size", "", dafl_distillation_options_preset(&options.known, "fast"));
        REFUSES_CREATION("struct_size", "", &teacher.known, &options.known);
        options.known = small_options();
        teacher.known.struct_size = too_small[i];
        REFUSES_CREATION("struct_size", "", &teacher.known, &options.known);
    }

    /* A program built against a newer header asks an older library: zeros are not a wish, anything else is. */
    memset(&teacher, 0xAA, sizeof teacher);
    memset(&options, 0xAA, sizeof options);
    WORKS(dafl_teacher_init(&teacher.known, sizeof teacher));
    WORKS(dafl_distillation_options_init(&options.known, sizeof options));
    CHECK(all_bytes_are(0, teacher.unknown, 16) && all_bytes_are(0, options.unknown, 16));
    teacher.known = make_teacher(&state, false);
    options.known = small_options();
    teacher.known.struct_size = sizeof teacher;
    options.known.struct_size = sizeof options;
    WORKS(dafl_distillation_create(&teacher.known, &options.known, &made));
    memset(&progress, 0, sizeof progress);
    progress.known.struct_size = sizeof progress;
    WORKS(dafl_distillation_step(made, &progress.known));
    CHECK(progress.known.step == 1 && all_bytes_are(0, progress.unknown, 16));
    for (int i = 0; i < 3; i++) {
        progress.known.struct_size = too_small[i];
        REFUSES("struct_size", "", dafl_distillation_step(made, &progress.known));
    }
    dafl_distillation_destroy(made);

    teacher.unknown[15] = 1;
    REFUSES_CREATION("teacher", "", &teacher.known, &options.known);
    teacher.unknown[15] = 0;
    options.unknown[0] = 1;
    REFUSES_CREATION("options", "", &teacher.known, &options.known);
    REFUSES("options", "", dafl_distillation_options_preset(&options.known, "fast"));

    memset(&options, 0xAA, sizeof options);
    memset(&teacher, 0xAA, sizeof teacher);
    WORKS(dafl_teacher_init(&teacher.known, sizeof teacher.known));
    WORKS(dafl_distillation_options_init(&options.known, sizeof options.known));
    CHECK(all_bytes_are(0xAA, teacher.unknown, 16) && all_bytes_are(0xAA, options.unknown, 16));
}

typedef struct {
    int64_t seen, stop_at;
    dafl_progress last;
} progress_state;

static int on_progress(void *user_data, const dafl_progress *progress) {
    progress_state *state = user_data;
    state->seen++;
    CHECK(progress->step == state->last.step + 1);
    state->last = *progress;
    return progress->step == state->stop_at ? 7 : 0;
}

static dafl_network *student_of(dafl_distillation *distillation) {
    dafl_network *student = NULL;
    WORKS(dafl_distillation_student(distillation, &student));
    return student;
}

/* The student after a run from this seed, stopped and resumed after step `stop_at` (0: not stopped). */
static dafl_network *distil(uint64_t seed, int64_t threads, int64_t stop_at, const char *preset) {
    dafl_network *network = make_network("mlp-64-16-4", 9);
    dafl_distillation_options options = small_options();
    if (preset) WORKS(dafl_distillation_options_preset(&options, preset));
    options.steps = 4;
    options.batch_size = 16;
    options.generator_width = options.latent_size = 8;
    options.seed = seed;
    options.threads = threads;
    dafl_distillation *distillation = NULL;
    WORKS(dafl_distillation_create_from_network(network, &options, &distillation));
    dafl_network_destroy(network); /* the distillation has its own copy */
    progress_state state = {.stop_at = stop_at};
    if (stop_at) {
        EXPECT(7, dafl_distillation_run(distillation, on_progress, &state));
        CHECK(state.last.step == stop_at);
        state.stop_at = 0;
    }
    WORKS(dafl_distillation_run(distillation, on_progress, &state));
    CHECK(state.seen == 4 && state.last.step == 4 && state.last.steps == 4);
    CHECK(isfinite(state.last.distillation_loss) && isfinite(state.last.generator_loss));
    CHECK(state.last.effective_classes >= 1 && state.last.effective_classes <= CLASSES + 1e-3);
    dafl_network *student = student_of(distillation);
    dafl_distillation_destroy(distillation);
    return student;
}

static void test_same_seed(void) {
    dafl_network *first = distil(1, 1, 0, NULL), *again = distil(1, 1, 0, NULL), *resumed = distil(1, 1, 2, NULL),
                 *other = distil(2, 1, 0, NULL), *two = distil(1, 2, 0, NULL), *two_again = distil(1, 2, 0, NULL),
                 *paper = distil(1, 1, 0, "paper");
    CHECK(same_network(first, again));
    CHECK(same_network(first, resumed));
    CHECK(!same_network(first, other));
    CHECK(same_network(two, two_again));
    CHECK(paper != NULL && !same_network(first, paper));
    dafl_network *all[] = {first, again, resumed, other, two, two_again, paper};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) dafl_network_destroy(all[i]);
}

static void test_results(dafl_distillation *distillation) {
    float images[5 * INPUTS], logits[5 * CLASSES], answers[5 * CLASSES];
    memset(images, 0xFF, sizeof images); /* NaN, to see that every number is written */
    memset(logits, 0xFF, sizeof logits);
    WORKS(dafl_distillation_step(distillation, NULL));
    WORKS(dafl_distillation_generate(distillation, 5, images, logits));
    bool finite = true;
    for (int i = 0; i < 5 * INPUTS; i++) finite &= isfinite(images[i]) != 0;
    for (int i = 0; i < 5 * CLASSES; i++) finite &= isfinite(logits[i]) != 0;
    CHECK(finite);
    WORKS(dafl_distillation_generate(distillation, 5, images, NULL));

    dafl_network *student = student_of(distillation), *later = NULL, *generator = NULL;
    dafl_network_info info = {.struct_size = sizeof info};
    WORKS(dafl_network_predict(student, images, 5, answers));
    WORKS(dafl_distillation_step(distillation, NULL));
    WORKS(dafl_distillation_student(distillation, &later));
    CHECK(!same_network(student, later)); /* a copy, not a view */
    WORKS(dafl_distillation_generator(distillation, &generator));
    WORKS(dafl_network_describe(generator, &info));
    CHECK(info.input_shape[0] == 8 && info.outputs == INPUTS);
    dafl_network_destroy(student);
    dafl_network_destroy(later);
    dafl_network_destroy(generator);
}

static void test_generators(void) {
    dafl_network *squares = make_network("mlp-64-16-4", 9), *others = make_network("mlp-13-4", 9);
    static const char *const kinds[] = {"auto", "convolution", "perceptron"};
    static const char *const names[] = {"dafl-vector-generator", "dafl-generator", "dafl-vector-generator"};
    for (int i = 0; i < 3; i++) {
        dafl_distillation_options options = small_options();
        options.generator = kinds[i];
        dafl_distillation *distillation = NULL;
        dafl_network *generator = NULL;
        dafl_network_info info = {.struct_size = sizeof info};
        WORKS(dafl_distillation_create_from_network(squares, &options, &distillation));
        WORKS(dafl_distillation_run(distillation, NULL, NULL));
        WORKS(dafl_distillation_generator(distillation, &generator));
        WORKS(dafl_network_describe(generator, &info));
        CHECK(info.outputs == INPUTS && strncmp(info.architecture, names[i], strlen(names[i])) == 0);
        dafl_network_destroy(generator);
        dafl_distillation_destroy(distillation);

        options.student = "mlp-13-8-4";
        distillation = NULL;
        EXPECT(i == 1 ? DAFL_ERROR_UNSUPPORTED : DAFL_OK,
               dafl_distillation_create_from_network(others, &options, &distillation));
        CHECK((distillation == NULL) == (i == 1));
        dafl_distillation_destroy(distillation);
    }
    dafl_network_destroy(squares);
    dafl_network_destroy(others);
}

static void test_image_sources(void) {
    dafl_network *network = make_network("mlp-64-16-4", 9);
    static const char *const sources[] = {"generator", "noise", "procedural", "auto"}, *const schedules[] = {"constant", "cosine", "step"};
    for (int i = 0; i < 12; i++) {
        dafl_distillation_options options = small_options();
        options.image_source = sources[i % 4];
        options.student_schedule = schedules[i / 4];
        if (i % 4 == 3) options.steps = 45; /* of which the last are a generator's too */
        options.replay_capacity = i % 2 ? 0 : 64;
        options.restart_steps = i == 8 ? 2 : 0;
        options.augmentation = i < 6;
        options.generator = "convolution"; /* the vectors are images of 8 x 8 */
        dafl_distillation *distillation = NULL;
        WORKS(dafl_distillation_create_from_network(network, &options, &distillation));
        WORKS(dafl_distillation_run(distillation, NULL, NULL));
        dafl_distillation_destroy(distillation);
    }
    dafl_network_destroy(network);
}

void test_distillation(void) {
    test_teacher_descriptions();
    test_options();
    test_images_of_the_host();

    dafl_network *network = make_network("mlp-64-16-4", 9);
    dafl_distillation_options options = small_options();
    dafl_distillation *distillation = NULL;
    WORKS(dafl_distillation_create_from_network(network, &options, &distillation));
    CHECK(distillation != NULL);
    if (distillation) {
        test_null(distillation, network);
        test_structs();
        test_results(distillation);
        test_same_seed();
        test_generators();
        test_image_sources();
    }
    dafl_distillation_destroy(distillation);
    dafl_network_destroy(network);
}
