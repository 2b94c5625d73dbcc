/* Network files: what goes out comes back, and nothing that is not a network file does harm. */
#include "check.h"
#include "fixtures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGEST = 1 << 20 };

static char folder[200], good_path[256], bad_path[256];
static unsigned char good[LARGEST];
static size_t good_length;

static void write_file(const void *bytes, size_t length) {
    FILE *file = fopen(bad_path, "wb");
    CHECK(file != NULL && fwrite(bytes, 1, length, file) == length);
    if (file) fclose(file);
}

/* The file is refused for what is in it, and no network comes out. */
#define REFUSES_FILE(bytes, length)                                                                            \
    do {                                                                                                       \
        dafl_network *network = NULL;                                                                          \
        write_file(bytes, length);                                                                             \
        EXPECT(DAFL_ERROR_FORMAT, dafl_network_load(bad_path, &network));                                      \
        CHECK(network == NULL);                                                                                \
        dafl_network_destroy(network);                                                                         \
    } while (0)

static size_t header_length(void) {
    return good_length < 8 ? 0 : (size_t)good[0] | (size_t)good[1] << 8 | (size_t)good[2] << 16;
}

/* The length before a header, little-endian. */
static void put_length(unsigned char *bytes, uint64_t length) {
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(length >> 8 * i);
}

/* Puts another header before the good file's numbers. */
static size_t with_header(unsigned char *bytes, const char *header) {
    size_t length = strlen(header), rest = good_length - 8 - header_length();
    put_length(bytes, length);
    memcpy(bytes + 8, header, length);
    memcpy(bytes + 8 + length, good + 8 + header_length(), rest);
    return 8 + length + rest;
}

/* The good header, with the value of the n-th `key` (from 0) replaced. A value is "text" or [list]. */
static void change(char *out, size_t size, const char *key, int n, const char *value) {
    char header[4096], quoted[64];
    size_t length = header_length() < sizeof header - 1 ? header_length() : sizeof header - 1;
    memcpy(header, good + 8, length);
    header[length] = 0;
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    char *start = strstr(header, quoted);
    for (; start && n > 0; n--) start = strstr(start + 1, quoted);
    CHECK(start != NULL);
    out[0] = 0;
    if (!start) return;
    start += strlen(quoted);
    start += strspn(start, " :");
    char *end = strchr(start + 1, *start == '[' ? ']' : '"');
    if (!end) return;
    snprintf(out, size, "%.*s%s%s", (int)(start - header), header, value, end + 1);
}

static void test_changed_headers(unsigned char *bytes) {
    static const struct { const char *key; int n; const char *value; } changes[] = {
        {"data_offsets", 0, "[0, 0]"},
        {"data_offsets", 0, "[8, 4]"},
        {"data_offsets", 0, "[-4, 8]"},
        {"data_offsets", 0, "[0]"},
        {"data_offsets", 0, "[0, 4, 8]"},
        {"data_offsets", 0, "[0, 9223372036854775807]"},
        {"data_offsets", 0, "[9223372036854775804, 9223372036854775807]"},
        {"data_offsets", 0, "[0, 18446744073709551615]"},
        {"data_offsets", 0, "[0.5, 48.5]"},
        {"data_offsets", 0, "[\"0\", \"48\"]"},
        {"data_offsets", 0, "null"},
        {"data_offsets", 1, "[0, 12]"}, /* overlaps the first tensor's */
        {"data_offsets", 1, "[0, 8]"},
        {"shape", 0, "[1152921504606846976]"},
        {"shape", 0, "[1152921504606846976, 16]"},
        {"shape", 0, "[4294967296, 4294967296, 4294967296]"},
        {"shape", 0, "[9223372036854775807, 9223372036854775807]"},
        {"shape", 0, "[-1]"},
        {"shape", 0, "[-3, -4]"},
        {"shape", 0, "[0]"},
        {"shape", 0, "[]"},
        {"shape", 0, "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 12]"},
        {"shape", 0, "\"shape\""},
        {"dtype", 0, "\"I64\""},
        {"dtype", 0, "\"F64\""},
        {"dtype", 0, "\"Q9\""},
        {"dtype", 0, "\"\""},
        {"dtype", 0, "7"},
        {"dtype", 0, "null"},
    };
    char header[8192];
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        change(header, sizeof header, changes[i].key, changes[i].n, changes[i].value);
        size_t length = with_header(bytes, header);
        dafl_network *network = NULL;
        write_file(bytes, length);
        /* A valid file of numbers that this library does not read may also be called unsupported. */
        EXPECT_EITHER(DAFL_ERROR_FORMAT, strcmp(changes[i].key, "dtype") ? DAFL_ERROR_FORMAT : DAFL_ERROR_UNSUPPORTED,
                      dafl_network_load(bad_path, &network));
        if (network) printf("    loaded with %s number %d = %s\n", changes[i].key, changes[i].n, changes[i].value);
        dafl_network_destroy(network);
    }

    static const char *const headers[] = {"", "{", "{}", "[]", "null", "7", "\"\"", "{\"a\":1}", "{\"a\":{}}", "{}{}",
        "{\"__metadata__\":7}", "{\"__metadata__\":{\"architecture\":7}}", "{\"a\":{\"dtype\":\"F32\"}}", "\xff\xfe"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) REFUSES_FILE(bytes, with_header(bytes, headers[i]));

    /* Deeper than any parser's stack that goes down one call a bracket. */
    char *deep = malloc(200001);
    memset(deep, '[', 200000);
    deep[200000] = 0;
    REFUSES_FILE(bytes, with_header(bytes, deep));
    for (int i = 0; i < 200000; i += 5) memcpy(deep + i, "{\"a\":", 5);
    REFUSES_FILE(bytes, with_header(bytes, deep));
    free(deep);
}

static void test_hostile(void) {
    unsigned char *bytes = malloc(LARGEST);
    if (good_length <= 8 || good_length > 100000 || !bytes) {
        CHECK(!"there is a good file to spoil");
        free(bytes);
        return;
    }
    for (size_t length = 0; length < good_length; length++) REFUSES_FILE(good, length);

    memcpy(bytes, good, good_length);
    bytes[good_length] = 0;
    REFUSES_FILE(bytes, good_length + 1);
    const uint64_t lengths[] = {0, 1, header_length() - 1, header_length() + 1, good_length, good_length - 8,
                                UINT64_C(1) << 40, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put_length(bytes, lengths[i]);
        REFUSES_FILE(bytes, good_length);
    }
    test_changed_headers(bytes);

    /* Spoiled at random: loaded or refused, but alive. */
    float seeds[2];
    for (int i = 0; i < 1000; i++) {
        dafl_network *network = NULL;
        memcpy(bytes, good, good_length);
        for (int change = 0; change <= i % 3; change++) {
            fill_random(seeds, 2, (uint64_t)(3 * i + change) * 7919);
            size_t place = (size_t)((seeds[0] + 1) / 2 * (float)(8 + header_length()));
            bytes[place] = (unsigned char)((seeds[1] + 1) * 128);
        }
        write_file(bytes, good_length);
        dafl_status status = dafl_network_load(bad_path, &network);
        CHECK((status == DAFL_OK) == (network != NULL) && status <= DAFL_OK);
        dafl_network_destroy(network);
    }
    free(bytes);
}

static void test_places(dafl_network *network) {
    dafl_network *loaded = NULL;
    char path[512];
    snprintf(path, sizeof path, "%s/none/network.safetensors", folder);
    EXPECT(DAFL_ERROR_IO, dafl_network_load(path, &loaded));
    check_message("none/network.safetensors", "", __FILE__, __LINE__, "dafl_network_load");
    EXPECT(DAFL_ERROR_IO, dafl_network_save(network, path));
    check_message("none/network.safetensors", "", __FILE__, __LINE__, "dafl_network_save");
    snprintf(path, sizeof path, "%s/none", folder);
    struct stat status;
    CHECK(stat(path, &status) != 0);
    EXPECT_EITHER(DAFL_ERROR_IO, DAFL_ERROR_FORMAT, dafl_network_load(folder, &loaded));
    EXPECT(DAFL_ERROR_IO, dafl_network_save(network, folder));
    EXPECT_EITHER(DAFL_ERROR_IO, DAFL_ERROR_INVALID_ARGUMENT, dafl_network_load("", &loaded));
    EXPECT_EITHER(DAFL_ERROR_IO, DAFL_ERROR_INVALID_ARGUMENT, dafl_network_save(network, ""));
    CHECK(loaded == NULL);
}

static void test_round_trip(const char *architecture) {
    dafl_network *network = make_network(architecture, 5), *loaded = NULL;
    if (!network) return;
    WORKS(dafl_network_save(network, bad_path));
    WORKS(dafl_network_save(network, bad_path)); /* over itself */
    WORKS(dafl_network_load(bad_path, &loaded));
    CHECK(loaded && same_network(network, loaded));
    dafl_network_info before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
    WORKS(dafl_network_describe(network, &before));
    WORKS(dafl_network_describe(loaded, &after));
    CHECK(after.architecture && before.architecture && strcmp(before.architecture, after.architecture) == 0);
    dafl_network_destroy(loaded);
    dafl_network_destroy(network);
}

/* "mlp-1-1" of numbers of a type, -2 and 0.5, with what its metadata says. */
static void write_small(const char *metadata, const char *type, const void *numbers, size_t size) {
    char header[512];
    unsigned char bytes[600];
    int length = snprintf(header, sizeof header,
                          "{%s\"fc1.weight\":{\"dtype\":\"%s\",\"shape\":[1,1],\"data_offsets\":[0,%zu]},"
                          "\"fc1.bias\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}}",
                          metadata, type, size, type, size, 2 * size);
    put_length(bytes, (uint64_t)length);
    memcpy(bytes + 8, header, (size_t)length);
    memcpy(bytes + 8 + length, numbers, 2 * size);
    write_file(bytes, 8 + (size_t)length + 2 * size);
}

static void test_types(void) {
    static const uint16_t half[] = {0xC000, 0x3800}, brain[] = {0xC000, 0x3F00};
    static const float single[] = {-2, 0.5f};
    static const double doubles[] = {-2, 0.5}, too_large[] = {-2, 1e300};
    static const struct { const char *type; const void *numbers; size_t size; } types[] = {
        {"F16", half, 2}, {"BF16", brain, 2}, {"F32", single, 4}, {"F64", doubles, 8}};
    static const char *const named = "\"__metadata__\":{\"architecture\":\"mlp-1-1\"},";
    const float x = 1;
    float y = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        dafl_network *network = NULL;
        write_small(named, types[i].type, types[i].numbers, types[i].size);
        WORKS(dafl_network_load(bad_path, &network));
        WORKS(dafl_network_predict(network, &x, 1, &y));
        CHECK(y == -1.5f);
        dafl_network_destroy(network);
    }
    dafl_network *network = NULL;
    write_small(named, "F64", too_large, 8);
    EXPECT(DAFL_ERROR_FORMAT, dafl_network_load(bad_path, &network));
    write_small(named, "I32", single, 4);
    EXPECT(DAFL_ERROR_UNSUPPORTED, dafl_network_load(bad_path, &network));
    check_message("fc1.weight", "I32", __FILE__, __LINE__, "dafl_network_load");
    CHECK(network == NULL);
}

static void test_load_as(void) {
    static const float numbers[] = {-2, 0.5f};
    static const char *const without[] = {"", "\"__metadata__\":null,", "\"__metadata__\":{},",
                                          "\"__metadata__\":{\"format\":\"pt\"},",
                                          "\"__metadata__\":{\"architecture\":\"mlp-1-1\"},"};
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        dafl_network *network = NULL;
        dafl_network_info info = {.struct_size = sizeof info};
        write_small(without[i], "F32", numbers, 4);
        WORKS(dafl_network_load_as(bad_path, "mlp-1-1", &network));
        WORKS(dafl_network_describe(network, &info));
        CHECK(info.architecture && strcmp(info.architecture, "mlp-1-1") == 0);
        dafl_network_destroy(network);
        network = NULL;
        EXPECT(DAFL_ERROR_FORMAT, dafl_network_load_as(bad_path, "mlp-1-2", &network));
        CHECK(network == NULL);
    }
    dafl_network *network = NULL;
    check_message("mlp-1-1", "mlp-1-2", __FILE__, __LINE__, "dafl_network_load_as");
    REFUSES("architecture", "nonsense", dafl_network_load_as(bad_path, "nonsense", &network));
    REFUSES("architecture", "NULL", dafl_network_load_as(bad_path, NULL, &network));
    REFUSES("path", "NULL", dafl_network_load_as(NULL, "mlp-1-1", &network));
    REFUSES("out", "NULL", dafl_network_load_as(bad_path, "mlp-1-1", NULL));
    CHECK(network == NULL);
}

/* The same bytes are the same network from memory, and what is said of a file can be said of them. */
static void test_memory(void) {
    unsigned char bytes[4096];
    dafl_network *network = make_network("mlp-4-3-2", 3), *loaded = NULL;
    dafl_load_options options;
    WORKS(dafl_load_options_init(&options, sizeof options));
    WORKS(dafl_network_save(network, bad_path));
    FILE *file = fopen(bad_path, "rb");
    CHECK(file != NULL);
    if (!file) return;
    int64_t size = (int64_t)fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    WORKS(dafl_network_load_memory(bytes, size, NULL, &loaded));
    CHECK(loaded && same_network(network, loaded));
    dafl_network_destroy(loaded);
    EXPECT(DAFL_ERROR_FORMAT, dafl_network_load_memory(bytes, size - 1, NULL, &loaded));
    options.architecture = "mlp-4-3-2";
    WORKS(dafl_network_load_memory(bytes, size, &options, &loaded));
    dafl_network_destroy(loaded);
    options.architecture = "mlp-4-5-2";
    EXPECT(DAFL_ERROR_FORMAT, dafl_network_load_memory(bytes, size, &options, &loaded));
    options.architecture = NULL;
    options.feature = "fc1";
    REFUSES("feature", "given", dafl_network_load_memory(bytes, size, &options, &loaded));
    static const char description[] = "{\"input\":[4],\"nodes\":[{\"kind\":\"relu\"}]}";
    EXPECT(DAFL_ERROR_FORMAT, dafl_network_load_memory(description, sizeof description - 1, NULL, &loaded));
    CHECK(loaded == NULL);
    dafl_network_destroy(network);
}

/* A batch normalisation takes the root of its variance. */
static void test_variances(void) {
    dafl_network *network = make_network("dafl-vector-generator(latent=3,outputs=5,width=2)", 1), *loaded = NULL;
    dafl_network_info info = {.struct_size = sizeof info};
    if (!network) return;
    WORKS(dafl_network_describe(network, &info));
    int found = 0;
    for (int64_t i = 0; i < info.tensors; i++) {
        dafl_tensor tensor = {.struct_size = sizeof tensor};
        WORKS(dafl_network_tensor(network, i, &tensor));
        if (!strstr(tensor.name, "running_var")) continue;
        found = 1;
        float *numbers = calloc((size_t)tensor.count, sizeof *numbers);
        WORKS(dafl_network_set_tensor(network, tensor.name, numbers, tensor.count));
        numbers[1] = -0.25f;
        REFUSES(tensor.name, "-0.25", dafl_network_set_tensor(network, tensor.name, numbers, tensor.count));
        check_message("[1]", "at least 0", __FILE__, __LINE__, "dafl_network_set_tensor");
        CHECK(tensor.data[1] == 0);
        free(numbers);
    }
    CHECK(found);
    WORKS(dafl_network_save(network, bad_path));
    WORKS(dafl_network_load(bad_path, &loaded));
    dafl_network_destroy(loaded);
    dafl_network_destroy(network);
}

void test_files(void) {
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/dafl-test-XXXXXX", temporary ? temporary : "/tmp");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(good_path, sizeof good_path, "%s/good.safetensors", folder);
    snprintf(bad_path, sizeof bad_path, "%s/bad.safetensors", folder);

    test_round_trip("mlp-64-16-4");
    test_round_trip("lenet5");
    test_round_trip("lenet5(channels=3,classes=26)");
    test_round_trip("dafl-generator(latent=8,side=8,channels=1,width=8)");
    test_types();
    test_load_as();
    test_memory();
    test_variances();

    dafl_network *network = make_network("mlp-4-3-2", 1);
    if (network) {
        WORKS(dafl_network_save(network, good_path));
        FILE *file = fopen(good_path, "rb");
        CHECK(file != NULL);
        if (file) {
            good_length = fread(good, 1, sizeof good, file);
            fclose(file);
        }
        test_hostile();
        test_places(network);
        dafl_network_destroy(network);
    }

    remove(good_path);
    remove(bad_path);
    CHECK(rmdir(folder) == 0); /* nothing else was left there */
}
