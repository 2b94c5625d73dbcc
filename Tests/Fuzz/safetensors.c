/* Hostile safetensors files. */
#include "harness.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed) {
    return mutate_safetensors(data, size, capacity, &seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    dafl_load_options options;
    REQUIRE(dafl_load_options_init(&options, sizeof options) == DAFL_OK);
    /* Files that do not name what they hold. */
    if (size % 8 == 0) options.architecture = "mlp-4-3-2";
    dafl_network *network = NULL;
    memory_begin();
    dafl_status status = dafl_network_load_memory(data, (int64_t)size, &options, &network);
    int64_t allowance = allowance_of(network);
    memory_end(size, allowance);
    require_answer(status, network);
    use(network, data, size);
    return 0;
}
