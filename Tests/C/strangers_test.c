/* Teachers as strangers bring them: inputs in units of their own, one sigmoid, a log that tells; and training that can be stopped. */
#include "fixtures.h"
#include "check.h"

#include <math.h>
#include <string.h>

enum { INPUTS = 64, COUNT = 200 };

typedef struct {
    float weights[INPUTS];
    float low, high; /* of the numbers that it was shown */
} one_sigmoid;

/* Bright in its upper half, or not: the sigmoid of a weighted sum of pixels from 0 to 16. */
static float probability_of(const one_sigmoid *teacher, const float *image) {
    float sum = 0;
    for (int i = 0; i < INPUTS; i++) sum += teacher->weights[i] * image[i] / 16;
    return 1 / (1 + expf(-sum));
}

static int forward(void *user_data, int64_t count, const float *images, float *rows, float *features) {
    one_sigmoid *teacher = user_data;
    (void)features;
    for (int64_t i = 0; i < count * INPUTS; i++) {
        teacher->low = fminf(teacher->low, images[i]);
        teacher->high = fmaxf(teacher->high, images[i]);
    }
    for (int64_t i = 0; i < count; i++) rows[i] = probability_of(teacher, images + i * INPUTS);
    return 0;
}

static void keep_log(void *text, int level, const char *line) {
    (void)level;
    strncat(text, line, 2000 - strlen(text));
}

/* The student names the teacher's class for inputs in the teacher's units, also when it comes from a file. */
static void test_one_sigmoid_in_units(void) {
    one_sigmoid state = {.low = 0, .high = 0};
    char log[2001] = "";
    for (int i = 0; i < INPUTS; i++) state.weights[i] = i < INPUTS / 2 ? 1 : -1;
    dafl_teacher teacher;
    WORKS(dafl_teacher_init(&teacher, sizeof teacher));
    CHECK(teacher.answers == DAFL_ANSWERS_AUTO);
    teacher.user_data = &state;
    teacher.input_shape[0] = 1, teacher.input_shape[1] = teacher.input_shape[2] = 8;
    teacher.classes = 1;
    teacher.forward = forward;
    dafl_distillation_options options = small_options();
    options.student = "mlp-64-16-2";
    options.steps = 40;
    options.batch_size = 32;
    options.student_steps = 5;
    options.replay_capacity = 1280;
    options.input_high = 16;
    options.log = keep_log;
    options.log_user_data = log;

    dafl_distillation *distillation = NULL;
    dafl_network *student = NULL, *loaded = NULL;
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    CHECK(strstr(log, "probability of class 1") != NULL);
    WORKS(dafl_distillation_run(distillation, NULL, NULL));
    CHECK(state.low >= 0 && state.high <= 16 && state.high > 8);
    WORKS(dafl_distillation_student(distillation, &student));
    dafl_network_info info = {.struct_size = sizeof info};
    WORKS(dafl_network_describe(student, &info));
    CHECK(strcmp(info.architecture, "mlp-64-16-2(units=1)") == 0 && info.outputs == 2);
    WORKS(dafl_network_save(student, "build/tests/units.safetensors"));
    WORKS(dafl_network_load("build/tests/units.safetensors", &loaded));
    CHECK(same_network(student, loaded));

    static float images[COUNT * INPUTS], logits[COUNT * 2];
    int agreed = 0;
    fill_random(images, COUNT * INPUTS, 7);
    for (int i = 0; i < COUNT * INPUTS; i++) images[i] = 8 + 8 * images[i];
    WORKS(dafl_network_predict(loaded, images, COUNT, logits));
    for (int i = 0; i < COUNT; i++)
        agreed += (logits[2 * i + 1] > logits[2 * i]) == (probability_of(&state, images + i * INPUTS) > 0.5f);
    CHECK(agreed > COUNT * 3 / 4);
    dafl_network_destroy(student);
    dafl_network_destroy(loaded);
    dafl_distillation_destroy(distillation);

    float deviation[INPUTS] = {0};
    options.input_high = 0;
    options.input_deviation = deviation;
    options.input_count = INPUTS;
    REFUSES("input_deviation[0]", "0.0", dafl_distillation_create(&teacher, &options, &distillation));
    options.input_count = 3;
    REFUSES("means and deviations", "3", dafl_distillation_create(&teacher, &options, &distillation));
    options.input_deviation = NULL;
    options.input_low = 5;
    REFUSES("input_low", "5.0", dafl_distillation_create(&teacher, &options, &distillation));
}

static int stop_at_third(void *user_data, int64_t step, int64_t steps, double loss) {
    int64_t *calls = user_data;
    CHECK(steps == 2 * 5 && isfinite(loss));
    CHECK(step == ++*calls);
    return step == 3 ? 77 : 0;
}

static void test_training_stops_at_a_step(void) {
    static float images[50 * INPUTS];
    int64_t labels[50] = {0}, calls = 0;
    dafl_network *network = make_network("mlp-64-8-4", 1);
    dafl_train_options options;
    WORKS(dafl_train_options_init(&options, sizeof options));
    options.epochs = 2;
    options.batch_size = 10;
    options.on_step = stop_at_third;
    options.user_data = &calls;
    fill_random(images, 50 * INPUTS, 1);
    EXPECT(77, dafl_network_train(network, images, labels, 50, &options));
    CHECK(calls == 3);
    dafl_network_destroy(network);
}

static int cancel_and_look(void *distillation, const dafl_progress *progress) {
    float image[INPUTS];
    (void)progress;
    dafl_distillation_cancel(distillation);
    EXPECT(DAFL_CANCELLED, dafl_distillation_generate(distillation, 1, image, NULL));
    return 0;
}

/* A wish to stop that comes before a call stops it, once. */
static void test_cancel_before(void) {
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, false);
    dafl_distillation_options options = small_options();
    dafl_distillation *distillation = NULL;
    float image[INPUTS];
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    dafl_distillation_cancel(distillation);
    EXPECT(DAFL_CANCELLED, dafl_distillation_run(distillation, NULL, NULL));
    dafl_distillation_cancel(distillation);
    EXPECT(DAFL_CANCELLED, dafl_distillation_step(distillation, NULL));
    dafl_distillation_cancel(distillation);
    EXPECT(DAFL_CANCELLED, dafl_distillation_generate(distillation, 1, image, NULL));
    /* What is looked at between two steps does not use the wish up. */
    EXPECT(DAFL_CANCELLED, dafl_distillation_run(distillation, cancel_and_look, distillation));
    dafl_progress progress = {.struct_size = sizeof progress};
    WORKS(dafl_distillation_progress(distillation, &progress));
    CHECK(progress.step == 1);
    WORKS(dafl_distillation_run(distillation, NULL, NULL));
    dafl_distillation_destroy(distillation);
}

void test_strangers(void) {
    test_one_sigmoid_in_units();
    test_training_stops_at_a_step();
    test_cancel_before();
}
