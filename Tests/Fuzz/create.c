/* Hostile descriptions in JSON, or with NAMES defined, names of architectures: valid ones take a hundred times as long. */
#include "harness.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char text[LARGEST_INPUT + 1];
    /* What comes behind a byte of zero is never read. */
    bool is_description = memchr(data, '{', strnlen((const char *)data, size)) != NULL;
#ifdef NAMES
    if (is_description) return -1;
#else
    if (!is_description) return -1;
#endif
    if (size > LARGEST_INPUT) return -1;
    memcpy(text, data, size);
    text[size] = 0;
    dafl_network *network = NULL;
    memory_begin();
    dafl_status status = dafl_network_create(text, 1, &network);
    int64_t allowance = allowance_of(network);
    /* A name of ten letters stands for a thousand layers. */
    memory_end(size, allowance + (is_description ? 0 : 14 << 20));
    REQUIRE(status != DAFL_ERROR_FORMAT);
    require_answer(status, network);
    use(network, data, size);
    return 0;
}
