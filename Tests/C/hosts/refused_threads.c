/* Trains, answers and distils in a process that may start no thread: on one. */
#include <dafl.h>
#include <stdio.h>

int main(void) {
    static float images[256 * 16], outputs[256 * 2];
    static int64_t labels[256];
    for (int i = 0; i < 256 * 16; i++) images[i] = (float)(i * 7919 % 101) / 50 - 1;
    for (int i = 0; i < 256; i++) labels[i] = images[16 * i] > 0;
    dafl_network *network = NULL;
    dafl_distillation *distillation = NULL;
    dafl_train_options training;
    dafl_distillation_options options;
    dafl_status status = dafl_network_create("mlp-16-8-2", 1, &network);
    if (!status) status = dafl_network_set_threads(network, 64);
    if (!status) status = dafl_train_options_init(&training, sizeof training);
    if (!status) status = dafl_network_train(network, images, labels, 256, &training);
    if (!status) status = dafl_network_predict(network, images, 256, outputs);
    if (!status) status = dafl_distillation_options_init(&options, sizeof options);
    options.student = "mlp-16-4-2";
    options.threads = 64;
    options.replay_capacity = 1024;
    if (!status) status = dafl_distillation_create_from_network(network, &options, &distillation);
    if (!status) status = dafl_distillation_step(distillation, NULL);
    if (status) printf("%s: %s\n", dafl_status_name(status), dafl_last_error());
    dafl_distillation_destroy(distillation);
    dafl_network_destroy(network);
    return status != 0;
}
