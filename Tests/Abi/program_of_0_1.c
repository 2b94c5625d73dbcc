/*
 * Uses all structs of version 0.1 as a program of that time: it is compiled against its header, whose structs are shorter than
 * today's, and knows nothing of what came after. Beside each, where a newer field would be, nothing may be read or written.
 */
#include <dafl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if DAFL_VERSION_MAJOR != 0 || DAFL_VERSION_MINOR != 1
#error "this is not the header of version 0.1"
#endif

#define CHECK(condition) check(condition, __LINE__, #condition)
#define WORKS(call) check((call) == DAFL_OK, __LINE__, #call)

static int checks;

static void check(int holds, int line, const char *what) {
    checks++;
    if (holds) return;
    printf("program_of_0_1.c:%d: does not hold: %s (%s)\n", line, what, dafl_last_error());
    exit(1);
}

/* A struct between guards: what a pointer, a size or a number read from them would be is refused by the library. */
#define GUARDED(type) struct { unsigned char before[64]; type known; unsigned char after[512]; }
#define GUARD(guarded) memset(&(guarded), 0xAA, sizeof(guarded))
#define UNTOUCHED(guarded) \
    CHECK(all_are_aa((guarded).before, sizeof(guarded).before) && all_are_aa((guarded).after, sizeof(guarded).after))

static int all_are_aa(const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0xAA) return 0;
    }
    return 1;
}

/* logits[c] = the sum of every fourth pixel from c on. */
static int forward(void *user_data, int64_t count, const float *images, float *logits, float *features) {
    ++*(int *)user_data;
    CHECK(features == NULL);
    memset(logits, 0, (size_t)count * 4 * sizeof *logits);
    for (int64_t i = 0; i < count * 64; i++) logits[i / 64 * 4 + i % 4] += images[i];
    return 0;
}

static int backward(void *user_data, int64_t count, const float *images, const float *logits_gradient,
                    const float *features_gradient, float *images_gradient) {
    (void)user_data, (void)images;
    CHECK(features_gradient == NULL);
    for (int64_t i = 0; i < count * 64; i++) images_gradient[i] = logits_gradient[i / 64 * 4 + i % 4];
    return 0;
}

static int see(void *user_data, const dafl_progress *progress) {
    *(int64_t *)user_data = progress->step;
    CHECK(progress->struct_size >= sizeof *progress && progress->steps == 4);
    return 0;
}

static int end_of_epoch(void *user_data, int64_t epoch, int64_t epochs, double mean_loss) {
    *(int64_t *)user_data = epoch;
    CHECK(epochs == 2 && mean_loss > 0);
    return 0;
}

static dafl_network *distil(void) {
    GUARDED(dafl_teacher) teacher;
    GUARDED(dafl_distillation_options) options;
    GUARDED(dafl_progress) progress;
    int calls = 0;
    int64_t seen = 0;
    GUARD(teacher);
    GUARD(options);
    GUARD(progress);

    WORKS(dafl_teacher_init(&teacher.known, sizeof teacher.known));
    teacher.known.user_data = &calls;
    teacher.known.input_shape[0] = 1;
    teacher.known.input_shape[1] = teacher.known.input_shape[2] = 8;
    teacher.known.classes = 4;
    teacher.known.forward = forward;
    teacher.known.backward = backward;

    WORKS(dafl_distillation_options_init(&options.known, sizeof options.known));
    WORKS(dafl_distillation_options_preset(&options.known, "fast"));
    options.known.student = "mlp-64-8-4";
    options.known.steps = 4;
    options.known.batch_size = 16;
    options.known.student_steps = 2;
    options.known.replay_capacity = 64;
    options.known.generator_width = 8;
    options.known.latent_size = 8;
    options.known.threads = 1;

    dafl_distillation *distillation = NULL;
    dafl_network *student = NULL;
    WORKS(dafl_distillation_create(&teacher.known, &options.known, &distillation));
    progress.known.struct_size = sizeof progress.known;
    WORKS(dafl_distillation_step(distillation, &progress.known));
    CHECK(progress.known.step == 1 && progress.known.struct_size == sizeof progress.known);
    WORKS(dafl_distillation_run(distillation, see, &seen));
    CHECK(seen == 4 && calls > 0);
    WORKS(dafl_distillation_student(distillation, &student));
    dafl_distillation_destroy(distillation);
    UNTOUCHED(teacher);
    UNTOUCHED(options);
    UNTOUCHED(progress);
    return student;
}

static void train(dafl_network *network) {
    GUARDED(dafl_train_options) options;
    float images[4 * 64] = {0};
    int64_t labels[4] = {0, 1, 2, 3}, epochs = 0;
    for (int i = 0; i < 4; i++) images[i * 64 + i] = 1;
    GUARD(options);
    WORKS(dafl_train_options_init(&options.known, sizeof options.known));
    options.known.epochs = 2;
    options.known.on_epoch = end_of_epoch;
    options.known.user_data = &epochs;
    WORKS(dafl_network_train(network, images, labels, 4, &options.known));
    CHECK(epochs == 2);
    UNTOUCHED(options);
}

static void look_at(dafl_network *network) {
    GUARDED(dafl_network_info) info;
    GUARDED(dafl_tensor) tensor;
    GUARD(info);
    GUARD(tensor);
    info.known.struct_size = sizeof info.known;
    tensor.known.struct_size = sizeof tensor.known;
    WORKS(dafl_network_describe(network, &info.known));
    CHECK(info.known.outputs == 4 && info.known.tensors == 4);
    WORKS(dafl_network_tensor(network, 0, &tensor.known));
    CHECK(tensor.known.rank == 2 && tensor.known.count == 8 * 64);
    UNTOUCHED(info);
    UNTOUCHED(tensor);
}

int main(void) {
    dafl_network *student = distil(), *read = NULL;
    train(student);
    look_at(student);
    WORKS(dafl_network_save(student, "program_of_0_1.safetensors"));
    WORKS(dafl_network_load("program_of_0_1.safetensors", &read));
    look_at(read);
    dafl_network_destroy(read);
    dafl_network_destroy(student);
    remove("program_of_0_1.safetensors");
    printf("%d passed, 0 failed\n", checks);
    return 0;
}
