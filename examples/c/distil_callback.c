/*
 * Distils a teacher that the library knows nothing of: two C functions.
 *
 *     ./distil_callback [steps]
 *
 * The teacher tells which quarter of an 8x8 picture is the brightest. It is a perceptron of two layers:
 *
 *     hidden[q] = tanh(2 * mean of the pixels of quarter q)      4 numbers
 *     logits[q] = 6 * hidden[q]                                  4 classes
 *
 * Its backward function is the chain rule through the same two lines, from the last to the first.
 */
#include <dafl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 8, PIXELS = SIDE * SIDE, QUARTERS = 4, CHECKED = 512 };

static int quarter_of(int pixel) {
    int row = pixel / SIDE, column = pixel % SIDE;
    return 2 * (row >= SIDE / 2) + (column >= SIDE / 2);
}

static void hidden_of(const float *image, float *hidden) {
    for (int q = 0; q < QUARTERS; q++) hidden[q] = 0;
    for (int p = 0; p < PIXELS; p++) hidden[quarter_of(p)] += 2 * image[p] / (PIXELS / QUARTERS);
    for (int q = 0; q < QUARTERS; q++) hidden[q] = tanhf(hidden[q]);
}

static int forward(void *user_data, int64_t count, const float *images, float *logits, float *features) {
    (void)user_data;
    for (int64_t i = 0; i < count; i++) {
        float *hidden = features + i * QUARTERS;
        hidden_of(images + i * PIXELS, hidden);
        for (int q = 0; q < QUARTERS; q++) logits[i * QUARTERS + q] = 6 * hidden[q];
    }
    return 0; /* anything else would stop the library's call and come back from it */
}

static int backward(void *user_data, int64_t count, const float *images, const float *logits_gradient,
                    const float *features_gradient, float *images_gradient) {
    (void)user_data;
    for (int64_t i = 0; i < count; i++) {
        float hidden[QUARTERS];
        hidden_of(images + i * PIXELS, hidden);
        for (int p = 0; p < PIXELS; p++) {
            int q = quarter_of(p);
            float by_hidden = 6 * logits_gradient[i * QUARTERS + q] + features_gradient[i * QUARTERS + q];
            float by_mean = by_hidden * (1 - hidden[q] * hidden[q]);
            images_gradient[i * PIXELS + p] = by_mean * 2 / (PIXELS / QUARTERS);
        }
    }
    return 0;
}

static void check(dafl_status status) {
    if (status != DAFL_OK) {
        fprintf(stderr, "%s: %s\n", dafl_status_name(status), dafl_last_error());
        exit(1);
    }
}

static int largest(const float *numbers) {
    int best = 0;
    for (int q = 1; q < QUARTERS; q++) {
        if (numbers[q] > numbers[best]) best = q;
    }
    return best;
}

int main(int argc, char **argv) {
    dafl_teacher teacher;
    check(dafl_teacher_init(&teacher, sizeof teacher));
    teacher.input_shape[0] = 1;
    teacher.input_shape[1] = SIDE;
    teacher.input_shape[2] = SIDE;
    teacher.classes = QUARTERS;
    teacher.features = QUARTERS;
    teacher.forward = forward;
    teacher.backward = backward;

    dafl_distillation_options options;
    check(dafl_distillation_options_init(&options, sizeof options));
    options.student = "mlp-64-16-4";
    options.steps = argc > 1 ? atoll(argv[1]) : 300;
    options.batch_size = 64;
    options.generator_width = 16; /* small pictures need no more */
    options.latent_size = 16;

    dafl_distillation *distillation = NULL;
    check(dafl_distillation_create(&teacher, &options, &distillation));
    check(dafl_distillation_run(distillation, NULL, NULL));

    /* How often does the student say what the teacher says, on pictures made for the occasion? */
    static float images[CHECKED * PIXELS], wanted[CHECKED * QUARTERS], answers[CHECKED * QUARTERS];
    dafl_network *student = NULL;
    check(dafl_distillation_student(distillation, &student));
    check(dafl_distillation_generate(distillation, CHECKED, images, wanted));
    check(dafl_network_predict(student, images, CHECKED, answers));

    int agreed = 0;
    for (int i = 0; i < CHECKED; i++) agreed += largest(wanted + i * QUARTERS) == largest(answers + i * QUARTERS);
    printf("teacher and student agree on %d of %d generated pictures\n", agreed, CHECKED);

    dafl_network_destroy(student);
    dafl_distillation_destroy(distillation);
    return 0;
}
