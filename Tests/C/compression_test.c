/* Smaller networks, and their files. */
#include "check.h"
#include "fixtures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dafl_compression_options no_way(void) {
    dafl_compression_options options;
    WORKS(dafl_compression_options_init(&options, sizeof options));
    options.threads = 1;
    return options;
}

static int64_t multiply_adds(dafl_network *network) {
    dafl_network_info info = {.struct_size = sizeof info};
    WORKS(dafl_network_describe(network, &info));
    return info.multiply_adds;
}

static int note(void *user_data, double done) {
    double *last = user_data;
    CHECK(done >= *last && done <= 1);
    *last = done;
    return 0;
}

static int stop(void *user_data, double done) {
    (void)user_data;
    return done >= 0 ? 42 : 0;
}

static void test_ways(void) {
    dafl_network *network = NULL, *smaller = NULL;
    WORKS(dafl_network_create("mlp-64-24-24-4", 3, &network));
    dafl_compression_options options = no_way();
    double last = 0;
    options.multiply_adds = 0.5;
    options.on_progress = note;
    options.user_data = &last;
    WORKS(dafl_network_compress(network, &options, &smaller));
    CHECK(multiply_adds(smaller) * 2 <= multiply_adds(network));
    dafl_network_destroy(smaller);

    options.on_progress = stop;
    EXPECT(42, dafl_network_compress(network, &options, &smaller));
    CHECK(smaller == NULL);

    options = no_way();
    options.channels = 0.5;
    WORKS(dafl_network_compress(network, &options, &smaller));
    dafl_tensor weight = {.struct_size = sizeof weight};
    WORKS(dafl_network_tensor_named(smaller, "fc2.weight", &weight));
    CHECK(weight.shape[0] == 12 && weight.shape[1] == 12);
    dafl_network_destroy(smaller);
    dafl_network_destroy(network);
}

static void test_refused(void) {
    dafl_network *network = NULL, *smaller = NULL;
    WORKS(dafl_network_create("mlp-64-8-4", 3, &network));
    dafl_compression_options options = no_way();
    EXPECT(DAFL_ERROR_INVALID_ARGUMENT, dafl_network_compress(network, &options, &smaller));
    options.prune = 1.5;
    REFUSES("prune", "1.5", dafl_network_compress(network, &options, &smaller));
    options.prune = NAN;
    REFUSES("prune", "nan", dafl_network_compress(network, &options, &smaller));
    options = no_way();
    options.bits = 5;
    REFUSES("options", "", dafl_network_compress(network, NULL, &smaller));
    REFUSES("out", "", dafl_network_compress(network, &options, NULL));
    REFUSES("network", "", dafl_network_compress(NULL, &options, &smaller));
    options.struct_size = 16;
    REFUSES("struct_size", "16", dafl_network_compress(network, &options, &smaller));
    CHECK(smaller == NULL);
    REFUSES("options", "", dafl_compression_options_init(NULL, sizeof options));
    dafl_network_destroy(network);
}

static void test_files_of_few_bits(void) {
    static float images[64], wanted[4], got[4];
    for (int i = 0; i < 64; i++) images[i] = (float)(i % 7) - 3;
    dafl_network *network = NULL, *smaller = NULL, *again = NULL;
    WORKS(dafl_network_create("mlp-64-24-4", 3, &network));
    dafl_compression_options options = no_way();
    options.prune = 0.8;
    options.bits = 4;
    WORKS(dafl_network_compress(network, &options, &smaller));
    char path[] = "/tmp/dafl-compression-XXXXXX";
    const int file = mkstemp(path);
    CHECK(file >= 0);
    WORKS(dafl_network_save_compressed(smaller, path));
    WORKS(dafl_network_load(path, &again));
    WORKS(dafl_network_predict(smaller, images, 1, wanted));
    WORKS(dafl_network_predict(again, images, 1, got));
    CHECK(memcmp(wanted, got, sizeof got) == 0);
    remove(path);
    EXPECT(DAFL_ERROR_IO, dafl_network_save_compressed(smaller, "/nowhere/small"));
    REFUSES("path", "", dafl_network_save_compressed(smaller, NULL));
    dafl_network_destroy(again);
    dafl_network_destroy(smaller);
    dafl_network_destroy(network);
}

void test_compression(void) {
    test_ways();
    test_refused();
    test_files_of_few_bits();
}
