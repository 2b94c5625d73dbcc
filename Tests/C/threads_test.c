/* One network, several threads; several distillations, each on a thread and cancelled from another. */
#include "check.h"
#include "fixtures.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

enum { RUNS = 4, CANCELS = 12 };

typedef struct {
    dafl_distillation *distillation;
    dafl_network *teacher, *wanted;
    const char *path;
    int cancelled;
    atomic_bool ended;
} parallel_run;

static dafl_distillation_options options_of_runs(void) {
    dafl_distillation_options options = small_options();
    options.threads = 2;
    options.steps = 60;
    options.image_source = "auto";
    return options;
}

/* A run that others stop, and that goes on each time, once nobody else uses the handle. */
static void *run_until_done(void *data) {
    parallel_run *self = data;
    dafl_status status;
    do {
        status = dafl_distillation_run(self->distillation, NULL, NULL);
        self->cancelled += status == DAFL_CANCELLED;
    } while (status == DAFL_CANCELLED || status == DAFL_ERROR_BUSY);
    CHECK(status == DAFL_OK);
    atomic_store(&self->ended, true);
    return NULL;
}

/* Stops it again and again, and tries to use what is in use. */
static void *disturb(void *data) {
    parallel_run *self = data;
    dafl_progress progress = {.struct_size = sizeof progress};
    for (int i = 0; i < CANCELS && !atomic_load(&self->ended); i++) {
        dafl_distillation_cancel(self->distillation);
        dafl_network *student = NULL;
        EXPECT_EITHER(DAFL_ERROR_BUSY, DAFL_OK, dafl_distillation_progress(self->distillation, &progress));
        EXPECT_EITHER(DAFL_ERROR_BUSY, DAFL_OK, dafl_distillation_student(self->distillation, &student));
        EXPECT_EITHER(DAFL_ERROR_BUSY, DAFL_OK, dafl_distillation_save(self->distillation, self->path));
        dafl_network_destroy(student);
        usleep(2000);
    }
    return NULL;
}

static void test_parallel_distillations(void) {
    dafl_distillation_options options = options_of_runs();
    dafl_network *teacher = make_network("mlp-64-16-4", 1), *wanted = NULL;
    dafl_distillation *alone = NULL;
    WORKS(dafl_distillation_create_from_network(teacher, &options, &alone));
    WORKS(dafl_distillation_run(alone, NULL, NULL));
    WORKS(dafl_distillation_student(alone, &wanted));
    dafl_distillation_destroy(alone);

    parallel_run runs[RUNS];
    char paths[RUNS][64];
    pthread_t working[RUNS], disturbing[RUNS];
    for (int i = 0; i < RUNS; i++) {
        snprintf(paths[i], sizeof paths[i], "/tmp/dafl-run-%d-%d", (int)getpid(), i);
        runs[i] = (parallel_run){.teacher = teacher, .wanted = wanted, .path = paths[i]};
        WORKS(dafl_distillation_create_from_network(teacher, &options, &runs[i].distillation));
    }
    for (int i = 0; i < RUNS; i++) {
        pthread_create(&working[i], NULL, run_until_done, &runs[i]);
        pthread_create(&disturbing[i], NULL, disturb, &runs[i]);
    }
    int cancelled = 0;
    for (int i = 0; i < RUNS; i++) {
        pthread_join(working[i], NULL);
        pthread_join(disturbing[i], NULL);
        cancelled += runs[i].cancelled;
    }
    CHECK(cancelled > 0);
    for (int i = 0; i < RUNS; i++) {
        /* A cancel that came after the end is of the next call. */
        if (dafl_distillation_run(runs[i].distillation, NULL, NULL) == DAFL_CANCELLED)
            WORKS(dafl_distillation_run(runs[i].distillation, NULL, NULL));
        dafl_network *student = NULL;
        WORKS(dafl_distillation_student(runs[i].distillation, &student));
        CHECK(same_network(student, wanted));
        dafl_network_destroy(student);
        dafl_distillation_destroy(runs[i].distillation);
        remove(paths[i]);
    }
    dafl_network_destroy(wanted);
    dafl_network_destroy(teacher);
}

void test_threads(void) {
    test_parallel_distillations();
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
