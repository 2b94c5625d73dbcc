/* One network, several threads. */
#include "check.h"
#include "fixtures.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { READERS = 6, IMAGES = 40, INPUTS = 1024, CLASSES = 10, FEATURES = 120 };

static float images[IMAGES * INPUTS], outputs[IMAGES * CLASSES];
static int64_t labels[IMAGES];
static double accuracy;

typedef struct {
    dafl_network *network;
    const char *path;
    atomic_int *begun;
} reader;

/* Reading calls of all kinds answer what they answer alone, and none finds the network in use. */
static void *read_network(void *data) {
    reader *self = data;
    float mine[IMAGES * CLASSES], features[IMAGES * FEATURES];
    double share;
    dafl_network_info info = {.struct_size = sizeof info};
    dafl_tensor tensor = {.struct_size = sizeof tensor};
    atomic_fetch_add(self->begun, 1);
    while (atomic_load(self->begun) < READERS) continue;
    for (int round = 0; round < 20; round++) {
        int count = round % 2 ? IMAGES : 1 + round;
        WORKS(dafl_network_predict(self->network, images, count, mine));
        if (count == IMAGES) CHECK(memcmp(mine, outputs, sizeof mine) == 0);
        WORKS(dafl_network_evaluate(self->network, images, labels, IMAGES, &share));
        CHECK(share == accuracy);
        WORKS(dafl_network_features(self->network, images, IMAGES, features));
        WORKS(dafl_network_describe(self->network, &info));
        WORKS(dafl_network_tensor(self->network, round % info.tensors, &tensor));
        WORKS(dafl_network_tensor_named(self->network, "conv1.weight", &tensor));
        if (round % 10 == 0) WORKS(dafl_network_save(self->network, self->path));
    }
    return NULL;
}

/* While a call changes the network, no other may use it. */
static void *intrude(void *data) {
    dafl_network *network = data;
    float output[CLASSES];
    dafl_network_info info = {.struct_size = sizeof info};
    dafl_tensor tensor = {.struct_size = sizeof tensor};
    EXPECT(DAFL_ERROR_BUSY, dafl_network_predict(network, images, 1, output));
    EXPECT(DAFL_ERROR_BUSY, dafl_network_describe(network, &info));
    EXPECT(DAFL_ERROR_BUSY, dafl_network_tensor(network, 0, &tensor));
    EXPECT(DAFL_ERROR_BUSY, dafl_network_save(network, "never-written"));
    EXPECT(DAFL_ERROR_BUSY, dafl_network_set_threads(network, 1));
    return NULL;
}

static int intrude_here_and_there(void *network, int64_t epoch, int64_t epochs, double loss) {
    (void)epoch, (void)epochs, (void)loss;
    pthread_t thread;
    intrude(network);
    pthread_create(&thread, NULL, intrude, network);
    pthread_join(thread, NULL);
    return 0;
}

void test_threads(void) {
    fill_random(images, IMAGES * INPUTS, 3);
    for (int i = 0; i < IMAGES; i++) labels[i] = i % CLASSES;
    dafl_network *network = make_network("lenet5", 1);
    WORKS(dafl_network_set_threads(network, 2));
    WORKS(dafl_network_predict(network, images, IMAGES, outputs));
    WORKS(dafl_network_evaluate(network, images, labels, IMAGES, &accuracy));

    atomic_int begun = 0;
    pthread_t threads[READERS];
    reader readers[READERS];
    char paths[READERS][32];
    for (int i = 0; i < READERS; i++) {
        snprintf(paths[i], sizeof paths[i], "/tmp/dafl-reader-%d", i);
        readers[i] = (reader){network, paths[i], &begun};
        pthread_create(&threads[i], NULL, read_network, &readers[i]);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        remove(paths[i]);
    }

    dafl_train_options options;
    WORKS(dafl_train_options_init(&options, sizeof options));
    options.epochs = 2;
    options.on_epoch = intrude_here_and_there;
    options.user_data = network;
    WORKS(dafl_network_train(network, images, labels, IMAGES, &options));
    WORKS(dafl_network_predict(network, images, IMAGES, outputs)); /* free again */
    dafl_network_destroy(network);
}
