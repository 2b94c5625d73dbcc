/* Structs of programs built against other versions of the header. */
#include "check.h"
#include "fixtures.h"

#include <stdlib.h>
#include <string.h>

/* Sizes of version 0.1.0, for ever. */
enum { TEACHER = 88, OPTIONS = 304, PROGRESS = 136, INFO = 80, TENSOR = 104, TRAINING = 88 };

/* A struct with room behind it, where nothing may be written. */
#define ROOM(type) union { type known; unsigned char bytes[4096]; }

#define UNTOUCHED_FROM(offset, room) CHECK(all_bytes_are(0xAA, (room).bytes + (offset), sizeof(room) - (size_t)(offset)))

static void test_first_version(void) {
    ROOM(dafl_teacher) teacher;
    ROOM(dafl_distillation_options) options;
    ROOM(dafl_progress) progress;
    ROOM(dafl_network_info) info;
    ROOM(dafl_tensor) tensor;
    ROOM(dafl_train_options) training;
    test_teacher state;
    float images[64] = {0};
    int64_t labels[1] = {0};

    memset(&training, 0xAA, sizeof training);
    memset(&options, 0xAA, sizeof options);
    memset(&teacher, 0xAA, sizeof teacher);
    WORKS(dafl_train_options_init(&training.known, TRAINING));
    WORKS(dafl_distillation_options_init(&options.known, OPTIONS));
    WORKS(dafl_distillation_options_preset(&options.known, "paper"));
    WORKS(dafl_teacher_init(&teacher.known, TEACHER));
    UNTOUCHED_FROM(TRAINING, training);
    UNTOUCHED_FROM(OPTIONS, options);
    UNTOUCHED_FROM(TEACHER, teacher);

    /* What lies behind them is no part of them. */
    dafl_teacher whole = make_teacher(&state, true);
    dafl_distillation_options small = small_options();
    memcpy(&teacher, &whole, TEACHER);
    memcpy(&options, &small, OPTIONS);
    teacher.known.struct_size = TEACHER;
    options.known.struct_size = OPTIONS;
    dafl_distillation *distillation = NULL;
    WORKS(dafl_distillation_create(&teacher.known, &options.known, &distillation));
    memset(&progress, 0xAA, sizeof progress);
    progress.known.struct_size = PROGRESS;
    WORKS(dafl_distillation_step(distillation, &progress.known));
    CHECK(progress.known.step == 1 && progress.known.struct_size == PROGRESS);
    UNTOUCHED_FROM(PROGRESS, progress);
    dafl_distillation_destroy(distillation);

    dafl_network *network = make_network("mlp-64-4", 1);
    memset(&info, 0xAA, sizeof info);
    memset(&tensor, 0xAA, sizeof tensor);
    info.known.struct_size = INFO;
    tensor.known.struct_size = TENSOR;
    WORKS(dafl_network_describe(network, &info.known));
    WORKS(dafl_network_tensor(network, 0, &tensor.known));
    CHECK(info.known.outputs == 4 && tensor.known.count == 4 * 64);
    UNTOUCHED_FROM(INFO, info);
    UNTOUCHED_FROM(TENSOR, tensor);
    training.known.epochs = 1;
    WORKS(dafl_network_train(network, images, labels, 1, &training.known));

    /* Less than the first version had is no struct of any version. */
    REFUSES("struct_size", "", dafl_train_options_init(&training.known, TRAINING - 8));
    REFUSES("struct_size", "", dafl_distillation_options_init(&options.known, OPTIONS - 8));
    REFUSES("struct_size", "", dafl_teacher_init(&teacher.known, TEACHER - 8));
    info.known.struct_size = INFO - 8;
    REFUSES("struct_size", "", dafl_network_describe(network, &info.known));
    dafl_network_destroy(network);
}

/* A struct that is filled may say that it is larger than it is: nothing is written where this version knows no field. */
static void test_wrong_sizes(void) {
    static const size_t sizes[] = {sizeof(dafl_network_info) + 1, 4096, 1 << 16, (1 << 16) + 1, SIZE_MAX, 0xAAAAAAAAAAAAAAAA};
    dafl_network *network = make_network("mlp-64-4", 1);
    for (int i = 0; i < 6; i++) {
        ROOM(dafl_network_info) info;
        memset(&info, 0xAA, sizeof info);
        info.known.struct_size = sizes[i];
        if (sizes[i] <= 1 << 16) WORKS(dafl_network_describe(network, &info.known));
        else REFUSES("struct_size", "", dafl_network_describe(network, &info.known));
        UNTOUCHED_FROM(sizeof(dafl_network_info), info);
    }
    dafl_network_destroy(network);
}

void test_versions(void) {
    test_first_version();
    test_wrong_sizes();
}
