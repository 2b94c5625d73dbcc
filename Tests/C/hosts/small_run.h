/* What hosts of these tests distil: a teacher of a few weights for pictures of 8 x 8, in a run so small that it takes no time. */
#ifndef SMALL_RUN_H
#define SMALL_RUN_H

#include <dafl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

/* Says what does not hold, and where. */
#define CHECK(condition, ...)                                                            \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            failures++;                                                                  \
            printf("%s:%d: does not hold: %s: ", __FILE__, __LINE__, #condition);        \
            printf(__VA_ARGS__);                                                         \
            printf("\n");                                                                \
        }                                                                                \
    } while (0)

/* Ends the host where what it needs for its test does not work. */
#define MUST(call)                                                                                   \
    do {                                                                                             \
        dafl_status must_status = call;                                                              \
        if (must_status) {                                                                           \
            printf("%s:%d: %s: %d %s\n", __FILE__, __LINE__, #call, must_status, dafl_last_error()); \
            exit(1);                                                                                 \
        }                                                                                            \
    } while (0)

enum { SMALL_INPUTS = 64, SMALL_CLASSES = 4 };

static float small_weights[SMALL_CLASSES][SMALL_INPUTS];

static int small_forward(void *user_data, int64_t count, const float *images, float *logits, float *features) {
    (void)user_data, (void)features;
    for (int64_t i = 0; i < count; i++)
        for (int c = 0; c < SMALL_CLASSES; c++) {
            float sum = 0;
            for (int p = 0; p < SMALL_INPUTS; p++) sum += small_weights[c][p] * images[i * SMALL_INPUTS + p];
            logits[i * SMALL_CLASSES + c] = sum;
        }
    return 0;
}

static inline dafl_teacher small_teacher(void) {
    dafl_teacher teacher;
    MUST(dafl_teacher_init(&teacher, sizeof teacher));
    for (int i = 0; i < SMALL_CLASSES * SMALL_INPUTS; i++)
        small_weights[i / SMALL_INPUTS][i % SMALL_INPUTS] = (float)(i * 7919 % 101) / 100 - 0.5f;
    teacher.input_shape[0] = 1;
    teacher.input_shape[1] = teacher.input_shape[2] = 8;
    teacher.classes = SMALL_CLASSES;
    teacher.forward = small_forward;
    return teacher;
}

static inline dafl_distillation_options small_options(void) {
    dafl_distillation_options options;
    MUST(dafl_distillation_options_init(&options, sizeof options));
    options.student = "mlp-64-16-4";
    options.threads = 1;
    options.steps = 8;
    options.batch_size = 16;
    options.student_steps = 2;
    options.replay_capacity = 64;
    options.generator_width = 8;
    options.latent_size = 8;
    return options;
}

/* A sum of all the bytes of the student's tensors. */
static inline uint64_t small_sum(dafl_distillation *distillation) {
    dafl_network *student = NULL;
    dafl_tensor tensor = {.struct_size = sizeof tensor};
    uint64_t sum = UINT64_C(14695981039346656037);
    MUST(dafl_distillation_student(distillation, &student));
    for (int64_t i = 0; dafl_network_tensor(student, i, &tensor) == DAFL_OK; i++)
        for (size_t k = 0; k < (size_t)tensor.count * sizeof(float); k++)
            sum = (sum ^ ((const unsigned char *)tensor.data)[k]) * UINT64_C(1099511628211);
    dafl_network_destroy(student);
    return sum;
}

/* A file's bytes; NULL where there is none. */
static inline unsigned char *small_bytes(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    *size = 0;
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*size + 1);
    if (!bytes || fread(bytes, 1, *size, file) != *size) exit(1);
    fclose(file);
    return bytes;
}

static inline bool small_same(const char *path, const unsigned char *wanted, size_t wanted_size) {
    size_t size;
    unsigned char *bytes = small_bytes(path, &size);
    bool same = wanted ? bytes && size == wanted_size && memcmp(bytes, wanted, size) == 0 : !bytes;
    free(bytes);
    return same;
}

#endif
