/* Asks for batches of 2^n rows, n being the second argument, in a process whose memory the shell has limited. Whatever the limit,
 * the answer is a status: "ok" or "out of memory". The first argument says of what. */
#include <dafl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static dafl_status distil(int64_t rows) {
    static float images[16];
    dafl_network *teacher = NULL;
    dafl_distillation *distillation = NULL;
    dafl_distillation_options options;
    dafl_status status = dafl_network_create("mlp-1-2", 1, &teacher);
    if (!status) status = dafl_distillation_options_init(&options, sizeof options);
    if (!status) {
        options.student = "mlp-1-2";
        options.threads = 1;
        options.batch_size = rows;
        options.replay_capacity = 0;
        options.student_steps = 1;
        options.steps = 1;
        options.image_source = "data";
        options.images = images;
        options.image_count = 16;
        status = dafl_distillation_create_from_network(teacher, &options, &distillation);
    }
    dafl_distillation_destroy(distillation);
    dafl_network_destroy(teacher);
    return status;
}

/* One step on so many examples, whose zeros the system only makes when they are read. */
static dafl_status train(int64_t rows) {
    size_t bytes = (size_t)rows * (sizeof(float) + sizeof(int64_t));
    void *examples = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (examples == MAP_FAILED) return DAFL_OK; /* the host's own memory was refused */
    dafl_network *network = NULL;
    dafl_train_options options;
    dafl_status status = dafl_network_create("mlp-1-2", 1, &network);
    if (!status) status = dafl_network_set_threads(network, 1);
    if (!status) status = dafl_train_options_init(&options, sizeof options);
    if (!status) {
        options.epochs = 1;
        options.batch_size = rows;
        const int64_t *labels = examples;
        status = dafl_network_train(network, (const float *)(labels + rows), labels, rows, &options);
    }
    dafl_network_destroy(network);
    munmap(examples, bytes);
    return status;
}

int main(int count, char **arguments) {
    if (count < 3) return 2;
    int64_t rows = (int64_t)1 << atoi(arguments[2]);
    dafl_status status = strcmp(arguments[1], "train") ? distil(rows) : train(rows);
    printf("%s: %s\n", dafl_status_name(status), dafl_last_error());
    return status != DAFL_OK && status != DAFL_ERROR_OUT_OF_MEMORY;
}
