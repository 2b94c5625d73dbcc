/* Networks: making them, looking at them, setting, predicting, training. */
#include "check.h"
#include "fixtures.h"

#include <math.h>
#include <string.h>

enum { EXAMPLES = 8, INPUTS = 64, CLASSES = 4 };

static float images[EXAMPLES * INPUTS];
static int64_t labels[EXAMPLES];
static float outputs[EXAMPLES * CLASSES];

static void test_architectures(void) {
    static const char *const refused[] = {
        "", "lenet6", "mlp", "mlp-", "mlp-64", "mlp-64-", "mlp-0-4", "mlp-64-0", "mlp--1-4", "mlp-64-4.5",
        "mlp-64-4 x", "mlp-99999999999999999999-4", "lenet5(", "lenet5()(", "lenet5(classes)", "lenet5(classes=)",
        "lenet5(classes=0)", "lenet5(classes=-1)", "lenet5(classes=ten)", "lenet5(classes=99999999999999999999)",
        "lenet5(depth=3)", "dafl-generator(latent=0)", "dafl-generator(width=0)", "dafl-generator(channels=-1)",
        "dafl-generator(side=0)", "dafl-generator(rows=-4)", "dafl-vector-generator(outputs=0)",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        dafl_network *network = NULL;
        REFUSES("architecture", refused[i], dafl_network_create(refused[i], 0, &network));
        CHECK(network == NULL);
    }

    static const char *const too_large[] = {
        "mlp-9223372036854775807-2",
        "mlp-4611686018427387904-4611686018427387904",
        "mlp-2147483648-2147483648-10",
        "mlp-1073741824-1073741824-10", /* its bytes fit an int64_t, but no address space */
        "lenet5(classes=9223372036854775807)",
        "dafl-generator(latent=4611686018427387904)",
        "dafl-generator(side=4611686018427387904)",
        "dafl-generator(width=9223372036854775807)",
    };
    for (size_t i = 0; i < sizeof too_large / sizeof *too_large; i++) {
        dafl_network *network = NULL;
        TOO_LARGE(dafl_network_create(too_large[i], 0, &network));
        CHECK(network == NULL);
    }

    dafl_network *network = NULL;
    dafl_network_info info = {.struct_size = sizeof info};
    WORKS(dafl_network_create("lenet5", 0, &network));
    WORKS(dafl_network_describe(network, &info));
    CHECK(info.input_shape[0] == 1 && info.input_shape[1] == 32 && info.input_shape[2] == 32);
    CHECK(info.outputs == 10 && info.parameters == 61706);
    dafl_network_destroy(network);
    network = NULL;
    WORKS(dafl_network_create("lenet5-half", 0, &network));
    WORKS(dafl_network_describe(network, &info));
    CHECK(info.parameters == 15738);
    dafl_network_destroy(network);
}

static void test_null(dafl_network *network) {
    dafl_network *other = NULL;
    dafl_train_options options;
    dafl_network_info info = {.struct_size = sizeof info};
    dafl_tensor tensor = {.struct_size = sizeof tensor};
    double accuracy;

    REFUSES("architecture", "NULL", dafl_network_create(NULL, 0, &other));
    REFUSES("out", "NULL", dafl_network_create("mlp-64-16-4", 0, NULL));
    REFUSES("path", "NULL", dafl_network_load(NULL, &other));
    REFUSES("out", "NULL", dafl_network_load("x.safetensors", NULL));
    REFUSES("network", "NULL", dafl_network_save(NULL, "x.safetensors"));
    REFUSES("path", "NULL", dafl_network_save(network, NULL));
    REFUSES("network", "NULL", dafl_network_describe(NULL, &info));
    REFUSES("out", "NULL", dafl_network_describe(network, NULL));
    REFUSES("network", "NULL", dafl_network_tensor(NULL, 0, &tensor));
    REFUSES("out", "NULL", dafl_network_tensor(network, 0, NULL));
    REFUSES("network", "NULL", dafl_network_tensor_named(NULL, "fc1.weight", &tensor));
    REFUSES("name", "NULL", dafl_network_tensor_named(network, NULL, &tensor));
    REFUSES("out", "NULL", dafl_network_tensor_named(network, "fc1.weight", NULL));
    REFUSES("network", "NULL", dafl_network_set_tensor(NULL, "fc1.weight", images, 1));
    REFUSES("name", "NULL", dafl_network_set_tensor(network, NULL, images, 1));
    REFUSES("data", "NULL", dafl_network_set_tensor(network, "fc1.weight", NULL, INPUTS * 16));
    REFUSES("network", "NULL", dafl_network_set_threads(NULL, 1));
    REFUSES("network", "NULL", dafl_network_predict(NULL, images, 1, outputs));
    REFUSES("images", "NULL", dafl_network_predict(network, NULL, 1, outputs));
    REFUSES("outputs", "NULL", dafl_network_predict(network, images, 1, NULL));
    REFUSES("network", "NULL", dafl_network_features(NULL, images, 1, outputs));
    REFUSES("images", "NULL", dafl_network_features(network, NULL, 1, outputs));
    REFUSES("features", "NULL", dafl_network_features(network, images, 1, NULL));
    REFUSES("count", "0", dafl_network_features(network, images, 0, outputs));
    REFUSES("network", "NULL", dafl_network_evaluate(NULL, images, labels, 1, &accuracy));
    REFUSES("images", "NULL", dafl_network_evaluate(network, NULL, labels, 1, &accuracy));
    REFUSES("labels", "NULL", dafl_network_evaluate(network, images, NULL, 1, &accuracy));
    REFUSES("out", "NULL", dafl_network_evaluate(network, images, labels, 1, NULL));
    REFUSES("options", "NULL", dafl_train_options_init(NULL, sizeof options));
    WORKS(dafl_train_options_init(&options, sizeof options));
    REFUSES("network", "NULL", dafl_network_train(NULL, images, labels, 1, &options));
    REFUSES("images", "NULL", dafl_network_train(network, NULL, labels, 1, &options));
    REFUSES("labels", "NULL", dafl_network_train(network, images, NULL, 1, &options));
    REFUSES("options", "NULL", dafl_network_train(network, images, labels, 1, NULL));
    dafl_network_destroy(NULL);
    CHECK(other == NULL);
}

static void test_sizes(dafl_network *network) {
    dafl_train_options options;
    dafl_tensor tensor = {.struct_size = sizeof tensor};
    double accuracy;
    WORKS(dafl_train_options_init(&options, sizeof options));

    REFUSES("count", "0", dafl_network_predict(network, images, 0, outputs));
    REFUSES("count", "0", dafl_network_evaluate(network, images, labels, 0, &accuracy));
    REFUSES("count", "0", dafl_network_train(network, images, labels, 0, &options));
    REFUSES("count", "-1", dafl_network_predict(network, images, -1, outputs));
    REFUSES("count", "-1", dafl_network_evaluate(network, images, labels, -1, &accuracy));
    REFUSES("count", "-1", dafl_network_train(network, images, labels, -1, &options));
    REFUSES("count", "", dafl_network_predict(network, images, INT64_MIN, outputs));
    static const int64_t too_large[] = {INT64_MAX, INT64_C(1) << 62};
    for (int i = 0; i < 2; i++) {
        TOO_LARGE(dafl_network_predict(network, images, too_large[i], outputs));
        TOO_LARGE(dafl_network_evaluate(network, images, labels, too_large[i], &accuracy));
        TOO_LARGE(dafl_network_train(network, images, labels, too_large[i], &options));
        EXPECT(DAFL_ERROR_INVALID_ARGUMENT, dafl_network_set_tensor(network, "fc1.weight", images, too_large[i]));
        REFUSES("index", "", dafl_network_tensor(network, too_large[i], &tensor));
    }
    REFUSES("index", "-1", dafl_network_tensor(network, -1, &tensor));
    REFUSES("threads", "-1", dafl_network_set_threads(network, -1));
    EXPECT_EITHER(DAFL_OK, DAFL_ERROR_INVALID_ARGUMENT, dafl_network_set_threads(network, INT64_MAX));
    WORKS(dafl_network_set_threads(network, 0));
    WORKS(dafl_network_set_threads(network, 1));
}

static void test_structs(dafl_network *network) {
    struct { dafl_network_info known; unsigned char unknown[16]; } info;
    struct { dafl_tensor known; unsigned char unknown[16]; } tensor;
    struct { dafl_train_options known; unsigned char unknown[16]; } options;

    static const size_t too_small[] = {0, 4, 8};
    for (int i = 0; i < 3; i++) {
        memset(&info, 0, sizeof info);
        memset(&tensor, 0, sizeof tensor);
        info.known.struct_size = tensor.known.struct_size = too_small[i];
        REFUSES("struct_size", "", dafl_network_describe(network, &info.known));
        REFUSES("struct_size", "", dafl_network_tensor(network, 0, &tensor.known));
        REFUSES("struct_size", "", dafl_train_options_init(&options.known, too_small[i]));
        WORKS(dafl_train_options_init(&options.known, sizeof options.known));
        options.known.struct_size = too_small[i];
        REFUSES("struct_size", "", dafl_network_train(network, images, labels, EXAMPLES, &options.known));
    }

    /* A program built against a newer header asks an older library. */
    memset(&info, 0, sizeof info);
    memset(&tensor, 0, sizeof tensor);
    info.known.struct_size = sizeof info;
    tensor.known.struct_size = sizeof tensor;
    WORKS(dafl_network_describe(network, &info.known));
    WORKS(dafl_network_tensor(network, 0, &tensor.known));
    CHECK(all_bytes_are(0, info.unknown, sizeof info.unknown));
    CHECK(all_bytes_are(0, tensor.unknown, sizeof tensor.unknown));

    memset(&options, 0xAA, sizeof options);
    WORKS(dafl_train_options_init(&options.known, sizeof options));
    CHECK(all_bytes_are(0, options.unknown, sizeof options.unknown));
    options.known.epochs = 1;
    WORKS(dafl_network_train(network, images, labels, EXAMPLES, &options.known));
    options.unknown[15] = 1; /* a wish that this library does not know must not be ignored */
    REFUSES("options", "", dafl_network_train(network, images, labels, EXAMPLES, &options.known));

    /* And nothing is written past the size that was given. */
    memset(&options, 0xAA, sizeof options);
    WORKS(dafl_train_options_init(&options.known, sizeof options.known));
    CHECK(options.known.struct_size == sizeof options.known);
    CHECK(all_bytes_are(0xAA, options.unknown, sizeof options.unknown));
}

static void test_tensors(dafl_network *network) {
    dafl_network_info info = {.struct_size = sizeof info};
    WORKS(dafl_network_describe(network, &info));
    CHECK(info.architecture && strcmp(info.architecture, "mlp-64-16-4") == 0);
    CHECK(info.input_shape[0] == 64 && info.input_shape[1] == 1 && info.input_shape[2] == 1);
    CHECK(info.outputs == CLASSES && info.features == 16 && info.tensors == 4);
    CHECK(info.parameters == 64 * 16 + 16 + 16 * 4 + 4);

    int64_t numbers = 0;
    dafl_tensor tensor = {.struct_size = sizeof tensor};
    for (int64_t i = 0; i < info.tensors; i++) {
        dafl_tensor named = {.struct_size = sizeof named};
        WORKS(dafl_network_tensor(network, i, &tensor));
        WORKS(dafl_network_tensor_named(network, tensor.name, &named));
        CHECK(tensor.data == named.data && tensor.count == named.count);
        int64_t product = 1;
        for (int64_t axis = 0; axis < tensor.rank; axis++) product *= tensor.shape[axis];
        CHECK(product == tensor.count);
        numbers += tensor.count;
    }
    CHECK(numbers == info.parameters);
    REFUSES("index", "4", dafl_network_tensor(network, info.tensors, &tensor));
    REFUSES("name", "nonsense", dafl_network_tensor_named(network, "nonsense", &tensor));
    REFUSES("name", "nonsense", dafl_network_set_tensor(network, "nonsense", images, 1));

    WORKS(dafl_network_tensor(network, 0, &tensor));
    float mine[16 * 64];
    for (int i = 0; i < 16 * 64; i++) mine[i] = (float)i / 1024;
    REFUSES("count", "3", dafl_network_set_tensor(network, tensor.name, mine, 3));
    REFUSES("count", "-1", dafl_network_set_tensor(network, tensor.name, mine, -1));
    WORKS(dafl_network_set_tensor(network, tensor.name, mine, tensor.count));
    WORKS(dafl_network_tensor(network, 0, &tensor));
    CHECK(tensor.data && tensor.count == 16 * 64 && memcmp(tensor.data, mine, sizeof mine) == 0);
}

typedef struct {
    dafl_network *network, *other;
    int64_t epochs;
    int answer;
} epoch_state;

static int on_epoch(void *user_data, int64_t epoch, int64_t epochs, double mean_loss) {
    epoch_state *state = user_data;
    state->epochs++;
    CHECK(epochs == 3 && isfinite(mean_loss));
    (void)epoch;
    if (state->network) EXPECT(DAFL_ERROR_BUSY, dafl_network_predict(state->network, images, 1, outputs));
    if (state->other) WORKS(dafl_network_predict(state->other, images, 1, outputs));
    return state->answer;
}

static void test_training(dafl_network *network) {
    dafl_train_options defaults, options;
    WORKS(dafl_train_options_init(&defaults, sizeof defaults));
    defaults.epochs = 3;
    defaults.batch_size = 4;

/* Training with one option changed is refused by that option's name. */
#define REFUSES_OPTION(field, number)                                                               \
    do {                                                                                            \
        options = defaults;                                                                         \
        options.field = number;                                                                     \
        REFUSES(#field, "", dafl_network_train(network, images, labels, EXAMPLES, &options));       \
    } while (0)
    REFUSES_OPTION(epochs, 0);
    REFUSES_OPTION(epochs, -1);
    REFUSES_OPTION(batch_size, 0);
    REFUSES_OPTION(batch_size, INT64_MIN);
    REFUSES_OPTION(optimizer, NULL);
    REFUSES_OPTION(optimizer, "lion");
    REFUSES_OPTION(schedule, NULL);
    REFUSES_OPTION(schedule, "linear");
    REFUSES_OPTION(learning_rate, NAN);
    REFUSES_OPTION(learning_rate, INFINITY);
    REFUSES_OPTION(learning_rate, -1);
    REFUSES_OPTION(weight_decay, NAN);
    REFUSES_OPTION(weight_decay, -1);
    REFUSES_OPTION(momentum, NAN);
    REFUSES_OPTION(momentum, -1);
    REFUSES_OPTION(momentum, 2);
    REFUSES_OPTION(learning_rate, 1e300);
#undef REFUSES_OPTION

    options = defaults;
    options.batch_size = INT64_MAX; /* more than there is, or more than can be */
    EXPECT_EITHER(DAFL_OK, DAFL_ERROR_INVALID_ARGUMENT,
                  dafl_network_train(network, images, labels, EXAMPLES, &options));

    double accuracy = -1;
    static const int64_t wrong[] = {-1, CLASSES, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 4; i++) {
        labels[5] = wrong[i];
        REFUSES("labels", "", dafl_network_train(network, images, labels, EXAMPLES, &defaults));
        REFUSES("labels", "", dafl_network_evaluate(network, images, labels, EXAMPLES, &accuracy));
    }
    labels[5] = 1;

    float kept = images[7];
    images[7] = NAN;
    EXPECT_EITHER(DAFL_ERROR_INVALID_ARGUMENT, DAFL_ERROR_DIVERGED,
                  dafl_network_train(network, images, labels, EXAMPLES, &defaults));
    images[7] = kept;

    dafl_network *other = make_network("mlp-64-16-4", 2);
    epoch_state state = {.network = network, .other = other};
    options = defaults;
    options.on_epoch = on_epoch;
    options.user_data = &state;
    static const char *const optimizers[] = {"adam", "adamw", "sgd"};
    static const char *const schedules[] = {"constant", "cosine", "step"};
    for (int i = 0; i < 9; i++) {
        state.epochs = 0;
        options.optimizer = optimizers[i / 3];
        options.schedule = schedules[i % 3];
        WORKS(dafl_network_train(other, images, labels, EXAMPLES, &defaults));
        state.network = NULL;
        state.other = other;
        WORKS(dafl_network_train(network, images, labels, EXAMPLES, &options));
        CHECK(state.epochs == 3);
    }
    state.network = network;
    WORKS(dafl_network_train(network, images, labels, EXAMPLES, &options));

    state = (epoch_state){.answer = 42};
    EXPECT(42, dafl_network_train(network, images, labels, EXAMPLES, &options));
    CHECK(state.epochs == 1);
    WORKS(dafl_network_evaluate(network, images, labels, EXAMPLES, &accuracy));
    CHECK(accuracy >= 0 && accuracy <= 1);
    dafl_network_destroy(other);
}

static void test_prediction(dafl_network *network) {
    float alone[CLASSES];
    WORKS(dafl_network_predict(network, images, EXAMPLES, outputs));
    WORKS(dafl_network_predict(network, images + 3 * INPUTS, 1, alone));
    for (int c = 0; c < CLASSES; c++) CHECK(fabsf(alone[c] - outputs[3 * CLASSES + c]) < 1e-4f);

    float kept = images[0];
    images[0] = NAN; /* refused or passed on, but never a crash */
    EXPECT_EITHER(DAFL_OK, DAFL_ERROR_INVALID_ARGUMENT, dafl_network_predict(network, images, EXAMPLES, outputs));
    images[0] = kept;
}

/* A network may have none. */
static void test_no_tensors(void) {
    dafl_network *network = make_network("{\"input\":[4],\"nodes\":[{\"kind\":\"relu\"}]}", 0);
    dafl_network_info info = {.struct_size = sizeof info};
    WORKS(dafl_network_describe(network, &info));
    CHECK(info.tensors == 0 && info.parameters == 0);
    for (int64_t index = -1; index <= 1; index++) {
        dafl_tensor tensor = {.struct_size = sizeof tensor};
        EXPECT(DAFL_ERROR_INVALID_ARGUMENT, dafl_network_tensor(network, index, &tensor));
    }
    dafl_network_destroy(network);
}

/* What a program allocates by the shape that it is told must be what predict reads. */
static void test_four_dimensions(void) {
    dafl_network *network = make_network("{\"input\":[2,3,4,5],\"nodes\":[{\"kind\":\"flatten\"}]}", 0);
    dafl_network_info info = {.struct_size = sizeof info};
    WORKS(dafl_network_describe(network, &info));
    CHECK(info.input_shape[0] * info.input_shape[1] * info.input_shape[2] == 120 && info.outputs == 120);
    float input[120], output[120];
    fill_random(input, 120, 5);
    WORKS(dafl_network_predict(network, input, 1, output));
    CHECK(memcmp(input, output, sizeof input) == 0);
    dafl_network_destroy(network);
}

/* Of more dimensions than dafl_tensor has room for there is no tensor. */
static void test_nine_dimensions(void) {
    dafl_network *network = NULL;
    EXPECT(DAFL_ERROR_INVALID_ARGUMENT, dafl_network_create(
        "{\"input\":[2],\"nodes\":[{\"kind\":\"constant\",\"inputs\":[],\"shape\":[1,1,1,1,1,1,1,1,2]}]}", 0, &network));
    CHECK(network == NULL);
    network = make_network(
        "{\"input\":[2],\"nodes\":[{\"kind\":\"constant\",\"inputs\":[],\"shape\":[1,1,1,1,1,1,1,2]}]}", 0);
    dafl_tensor tensor = {.struct_size = sizeof tensor};
    WORKS(dafl_network_tensor(network, 0, &tensor));
    CHECK(tensor.rank == 8 && tensor.shape[7] == 2);
    dafl_network_destroy(network);
}

void test_network(void) {
    fill_random(images, EXAMPLES * INPUTS, 1);
    for (int i = 0; i < EXAMPLES; i++) labels[i] = i % CLASSES;

    test_architectures();
    test_no_tensors();
    test_four_dimensions();
    test_nine_dimensions();
    dafl_network *network = make_network("mlp-64-16-4", 1);
    if (!network) return;
    test_null(network);
    test_sizes(network);
    test_tensors(network);
    test_structs(network);
    test_training(network);
    test_prediction(network);
    dafl_network_destroy(network);
}
