/* A host that traps floating-point exceptions, as numerical programs do to find their mistakes: what the library computes must not end
 * it. Vectors compute lanes that are not used, and compilers both sides of a choice, which may divide by zero: so the library sets the
 * traps aside while it is at work, and its own threads have none. */
#define _GNU_SOURCE
#include <dafl.h>
#include <fenv.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(call)                                                                                            \
    do {                                                                                                      \
        dafl_status status = call;                                                                            \
        if (status) {                                                                                         \
            printf("%s: %s: %s\n", #call, dafl_status_name(status), dafl_last_error());                      \
            return 1;                                                                                         \
        }                                                                                                     \
    } while (0)

static int train_and_answer(const char *architecture, int elements, int classes, int threads) {
    enum { COUNT = 37 };
    float *images = calloc((size_t)(COUNT * elements), sizeof(float)), *outputs = calloc(COUNT * 16, sizeof(float));
    int64_t labels[COUNT];
    double accuracy;
    dafl_network *network = NULL;
    dafl_train_options options;
    if (!images || !outputs) return 1;
    for (int i = 0; i < COUNT * elements; i++) images[i] = i / elements == 3 ? 0 : (float)(i * 7919 % 101) / 50 - 1;
    for (int i = 0; i < COUNT; i++) labels[i] = i % classes;
    MUST(dafl_network_create(architecture, 1, &network));
    MUST(dafl_network_set_threads(network, threads));
    MUST(dafl_train_options_init(&options, sizeof options));
    options.epochs = 2;
    options.batch_size = 32;
    const char *optimizers[] = {"adam", "adamw", "sgd"};
    for (int i = 0; i < 3; i++) {
        options.optimizer = optimizers[i];
        MUST(dafl_network_train(network, images, labels, COUNT, &options));
    }
    for (int count = 1; count <= COUNT; count += 9) MUST(dafl_network_predict(network, images, count, outputs));
    MUST(dafl_network_evaluate(network, images, labels, COUNT, &accuracy));
    dafl_network_destroy(network);
    free(outputs);
    free(images);
    return 0;
}

static int distil(const char *teacher_name, const char *student, const char *preset, const char *gradients, int steps) {
    dafl_network *teacher = NULL;
    dafl_distillation *distillation = NULL;
    dafl_distillation_options options;
    MUST(dafl_network_create(teacher_name, 1, &teacher));
    MUST(dafl_distillation_options_init(&options, sizeof options));
    MUST(dafl_distillation_options_preset(&options, preset));
    options.student = student;
    options.gradients = gradients;
    options.threads = 2;
    options.steps = steps;
    options.batch_size = 20;
    options.student_steps = 1;
    options.replay_capacity = options.replay_capacity ? 100 : 0;
    options.restart_steps = 13;
    options.generator_width = 8;
    MUST(dafl_distillation_create_from_network(teacher, &options, &distillation));
    MUST(dafl_distillation_run(distillation, NULL, NULL));
    dafl_distillation_destroy(distillation);
    dafl_network_destroy(teacher);
    return 0;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
    return train_and_answer("mlp-64-17-4", 64, 4, 1) || train_and_answer("lenet5-half", 1024, 10, 2) ||
           train_and_answer("resnet18(side=8,channels=1,classes=3)", 64, 3, 2) ||
           distil("lenet5", "lenet5-half", "fast", "auto", 30) || distil("lenet5", "lenet5-half", "paper", "auto", 4) ||
           distil("mlp-64-17-4", "mlp-64-8-4", "fast", "differences", 30) ||
           distil("lenet5", "lenet5-half", "fast", "student", 8);
}
