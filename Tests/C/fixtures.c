#include "fixtures.h"
#include "check.h"

#include <math.h>
#include <string.h>

enum { INPUTS = 64, HIDDEN = 8, CLASSES = 4 };

void fill_random(float *numbers, int64_t count, uint64_t seed) {
    for (int64_t i = 0; i < count; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        numbers[i] = (float)(seed >> 40) / (1 << 23) - 1;
    }
}

bool all_bytes_are(unsigned char wanted, const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (((const unsigned char *)bytes)[i] != wanted) return false;
    }
    return true;
}

dafl_network *make_network(const char *architecture, uint64_t seed) {
    dafl_network *network = NULL;
    WORKS(dafl_network_create(architecture, seed, &network));
    CHECK(network != NULL);
    return network;
}

bool same_network(dafl_network *a, dafl_network *b) {
    dafl_network_info info = {.struct_size = sizeof info};
    if (dafl_network_describe(a, &info) != DAFL_OK) return false;
    for (int64_t i = 0; i < info.tensors; i++) {
        dafl_tensor mine = {.struct_size = sizeof mine}, theirs = {.struct_size = sizeof theirs};
        if (dafl_network_tensor(a, i, &mine) != DAFL_OK) return false;
        if (dafl_network_tensor_named(b, mine.name, &theirs) != DAFL_OK) return false;
        if (mine.rank != theirs.rank || memcmp(mine.shape, theirs.shape, sizeof mine.shape) != 0) return false;
        if (memcmp(mine.data, theirs.data, (size_t)mine.count * sizeof(float)) != 0) return false;
    }
    return true;
}

dafl_distillation_options small_options(void) {
    dafl_distillation_options options;
    WORKS(dafl_distillation_options_init(&options, sizeof options));
    options.student = "mlp-64-16-4";
    options.threads = 1;
    options.steps = 4;
    options.batch_size = 16;
    options.student_steps = 2;
    options.replay_capacity = 64;
    options.generator_width = 8;
    options.latent_size = 8;
    options.image_source = "generator";
    return options;
}

static void hidden_of(const test_teacher *teacher, const float *image, float *hidden) {
    for (int h = 0; h < HIDDEN; h++) {
        hidden[h] = 0;
        for (int p = 0; p < INPUTS; p++) hidden[h] += teacher->a[h][p] * image[p];
        hidden[h] = tanhf(hidden[h]);
    }
}

static int forward(void *user_data, int64_t count, const float *images, float *logits, float *features) {
    test_teacher *teacher = user_data;
    teacher->calls++;
    teacher->forward_images += count;
    if (teacher->during_forward) teacher->during_forward(teacher->during_forward_data);
    if (teacher->answer != 0) return teacher->answer;
    if (teacher->fault == NO_LOGITS) return 0;
    CHECK((features != NULL) == teacher->shows_features);
    for (int64_t i = 0; i < count; i++) {
        float hidden[HIDDEN];
        hidden_of(teacher, images + i * INPUTS, hidden);
        if (features) memcpy(features + i * HIDDEN, hidden, sizeof hidden);
        for (int c = 0; c < CLASSES; c++) {
            float sum = 0;
            for (int h = 0; h < HIDDEN; h++) sum += teacher->b[c][h] * hidden[h];
            logits[i * CLASSES + c] = sum;
        }
        if (teacher->as_probabilities) {
            float total = 0, *row = logits + i * CLASSES;
            for (int c = 0; c < CLASSES; c++) total += row[c] = expf(row[c]);
            for (int c = 0; c < CLASSES; c++) row[c] /= total;
        }
    }
    /* One bad number in the last row is enough. */
    if (teacher->fault == NAN_LOGITS) logits[count * CLASSES - 1] = NAN;
    if (teacher->fault == INFINITE_LOGITS) logits[count * CLASSES - 1] = INFINITY;
    if (teacher->fault == NAN_FEATURES && features) features[count * HIDDEN - 1] = NAN;
    return 0;
}

static int backward(void *user_data, int64_t count, const float *images, const float *logits_gradient,
                    const float *features_gradient, float *images_gradient) {
    test_teacher *teacher = user_data;
    teacher->calls++;
    teacher->backward_images += count;
    if (teacher->backward_answer != 0) return teacher->backward_answer;
    if (teacher->fault == NO_GRADIENT) return 0;
    CHECK((features_gradient != NULL) == teacher->shows_features);
    float scale = teacher->fault == HALF_GRADIENT ? 0.5f : teacher->fault == NEGATED_GRADIENT ? -1 : 1;
    for (int64_t i = 0; i < count; i++) {
        float hidden[HIDDEN], by_sum[HIDDEN];
        hidden_of(teacher, images + i * INPUTS, hidden);
        for (int h = 0; h < HIDDEN; h++) {
            float by_hidden = features_gradient && teacher->fault != FEATURES_FORGOTTEN
                ? features_gradient[i * HIDDEN + h] : 0;
            for (int c = 0; c < CLASSES; c++) by_hidden += teacher->b[c][h] * logits_gradient[i * CLASSES + c];
            by_sum[h] = by_hidden * (1 - hidden[h] * hidden[h]);
        }
        for (int p = 0; p < INPUTS; p++) {
            float sum = 0;
            for (int h = 0; h < HIDDEN; h++) sum += teacher->a[h][p] * by_sum[h];
            images_gradient[i * INPUTS + p] = scale * sum;
        }
    }
    if (teacher->fault == NAN_GRADIENT) images_gradient[count * INPUTS - 1] = NAN;
    return 0;
}

dafl_teacher make_teacher(test_teacher *state, bool shows_features) {
    memset(state, 0, sizeof *state);
    state->shows_features = shows_features;
    fill_random(&state->a[0][0], HIDDEN * INPUTS, 3);
    fill_random(&state->b[0][0], CLASSES * HIDDEN, 4);
    for (int h = 0; h < HIDDEN; h++) {
        for (int p = 0; p < INPUTS; p++) state->a[h][p] *= 0.2f; /* so that tanh is not all ones */
    }

    dafl_teacher teacher;
    WORKS(dafl_teacher_init(&teacher, sizeof teacher));
    teacher.user_data = state;
    teacher.input_shape[0] = 1;
    teacher.input_shape[1] = teacher.input_shape[2] = 8;
    teacher.classes = CLASSES;
    teacher.features = shows_features ? HIDDEN : 0;
    teacher.forward = forward;
    teacher.backward = backward;
    return teacher;
}
