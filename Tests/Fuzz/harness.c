#include "harness.h"

#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void require_that(bool holds, const char *condition, const char *file, int line) {
    if (holds) return;
    fprintf(stderr, "%s:%d: does not hold: %s\n%s\n", file, line, condition, dafl_last_error());
    abort();
}

unsigned random_below(unsigned *seed, unsigned below) {
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

/* ------------------------------------------------------------------------------------------------------------ memory */

/*
 * Bytes that are allocated, and their peak since memory_begin. Pieces of numbers, which the library has calloc clear, are counted
 * apart: they are what a valid network that the input describes needs, and the system gives them when they are touched. They are
 * refused once they add up to MOST_NUMBERS, as on a machine that is out of memory: else a text of ten letters asks for gigabytes of
 * weights, by right, and the fuzzer would spend its time on drawing them. Under the address sanitizer nothing else is counted.
 */
enum { MOST_NUMBERS = 1 << 24, SMALLEST_NUMBERS = 1 << 10 };
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if __has_feature(address_sanitizer)
const char *__asan_default_options(void) {
    return "max_allocation_size_mb=64:allocator_may_return_null=1:detect_leaks=0:quarantine_size_mb=16:malloc_context_size=8";
}
/* Of one call, whatever it gave back meanwhile. */
static _Atomic int64_t numbers;
static bool counts;
void *__interceptor_calloc(size_t, size_t);
void *calloc(size_t number, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(number, size, &bytes)) return NULL;
    if (counts && bytes >= SMALLEST_NUMBERS && (int64_t)bytes > MOST_NUMBERS - numbers) return NULL;
    if (counts && bytes >= SMALLEST_NUMBERS) numbers += (int64_t)bytes;
    return __interceptor_calloc(number, size);
}
void memory_begin(void) { numbers = 0, counts = true; }
void memory_end(size_t size, int64_t allowance) { (void)size, (void)allowance, counts = false; }
#else
enum { PIECES = 1 << 16 };
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

static _Atomic int64_t held, peak, before_call, numbers_held, numbers_before;
/* Pieces of numbers, by their addresses: a table with linear probing. */
static uintptr_t pieces[PIECES];
static _Atomic int piece_count;
static int busy;

static unsigned place_of(uintptr_t piece) { return (unsigned)((piece >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 48) % PIECES; }
static void lock(void) {
    while (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE)) {}
}
static void unlock(void) { __atomic_store_n(&busy, 0, __ATOMIC_RELEASE); }

static bool note_piece(void *memory) {
    if (piece_count > PIECES / 2) return false;
    lock();
    unsigned place = place_of((uintptr_t)memory);
    while (pieces[place]) place = (place + 1) % PIECES;
    pieces[place] = (uintptr_t)memory;
    piece_count++;
    unlock();
    return true;
}

static bool forget_piece(void *memory) {
    lock();
    unsigned place = place_of((uintptr_t)memory);
    while (pieces[place] && pieces[place] != (uintptr_t)memory) place = (place + 1) % PIECES;
    bool found = pieces[place] != 0;
    if (found) {
        piece_count--;
        pieces[place] = 0;
        /* What comes after it up to the next gap may have wanted its place. */
        for (unsigned next = (place + 1) % PIECES; pieces[next]; next = (next + 1) % PIECES) {
            uintptr_t moved = pieces[next];
            pieces[next] = 0;
            unsigned to = place_of(moved);
            while (pieces[to]) to = (to + 1) % PIECES;
            pieces[to] = moved;
        }
    }
    unlock();
    return found;
}

static void *taken(void *memory) {
    int64_t now = held += memory ? (int64_t)malloc_usable_size(memory) : 0;
    if (now > peak) peak = now;
    return memory;
}
static void *given_back(void *memory) {
    if (!memory) return NULL;
    int64_t size = (int64_t)malloc_usable_size(memory);
    if (size >= SMALLEST_NUMBERS && forget_piece(memory)) {
        numbers_held -= size;
    } else {
        held -= size;
    }
    return memory;
}
void *malloc(size_t size) { return taken(__libc_malloc(size)); }
void *calloc(size_t number, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(number, size, &bytes)) return NULL;
    if (bytes < SMALLEST_NUMBERS) return taken(__libc_calloc(number, size));
    if (bytes > MOST_NUMBERS || (int64_t)bytes + numbers_held - numbers_before > MOST_NUMBERS) return NULL;
    void *memory = __libc_calloc(number, size);
    if (!memory || !note_piece(memory)) return taken(memory);
    numbers_held += (int64_t)malloc_usable_size(memory);
    return memory;
}
void *realloc(void *memory, size_t size) { return taken(__libc_realloc(given_back(memory), size)); }
void *memalign(size_t alignment, size_t size) { return taken(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **out, size_t alignment, size_t size) { return (*out = memalign(alignment, size)) ? 0 : 12; }
void free(void *memory) { __libc_free(given_back(memory)); }

void memory_begin(void) {
    numbers_before = numbers_held;
    before_call = held;
    peak = before_call;
}

void memory_end(size_t size, int64_t allowance) {
    int64_t all = peak - before_call;
    if (all <= 16 * (int64_t)size + allowance) return;
    fprintf(stderr, "%lld bytes for %zu of a file, beside %lld that are allowed\n%s\n", (long long)all, size,
            (long long)allowance, dafl_last_error());
    abort();
}
#endif

/* What the process has for itself: tables that are made once, the fuzzer's own, a run's threads. */
enum { FIXED_ALLOWANCE = 2 << 20 };

int64_t allowance_of(dafl_network *network) {
    if (!network) return FIXED_ALLOWANCE;
    dafl_network_info info = {.struct_size = sizeof info};
    REQUIRE(dafl_network_describe(network, &info) == DAFL_OK);
    for (int64_t i = 0; i < info.tensors; i++) {
        dafl_tensor tensor = {.struct_size = sizeof tensor};
        REQUIRE(dafl_network_tensor(network, i, &tensor) == DAFL_OK);
        REQUIRE(tensor.rank >= 0 && tensor.rank <= 8 && tensor.count >= 1 && tensor.data && tensor.name);
        int64_t product = 1;
        for (int64_t axis = 0; axis < tensor.rank; axis++) product *= tensor.shape[axis];
        REQUIRE(product == tensor.count);
    }
    return FIXED_ALLOWANCE + 4096 * info.tensors;
}

/* ----------------------------------------------------------------------------------------------------------- networks */

static int64_t accepted;

void require_answer(dafl_status status, const void *out) {
    if (status == DAFL_OK) {
        accepted++;
        REQUIRE(out != NULL);
        REQUIRE(dafl_last_error()[0] == 0);
        return;
    }
    REQUIRE(out == NULL);
    REQUIRE(status <= DAFL_ERROR_INVALID_ARGUMENT && status >= DAFL_ERROR_UNSUPPORTED && status != DAFL_ERROR_IO);
    const char *message = dafl_last_error();
    size_t length = strlen(message);
    REQUIRE(length > 0 && length < 1 << 20);
}

__attribute__((destructor)) static void tell_accepted(void) { fprintf(stderr, "accepted: %lld\n", (long long)accepted); }

static bool is_out_of_memory(dafl_status status) { return status == DAFL_ERROR_OUT_OF_MEMORY; }

/* Writes a network and reads it again, which has to give the same outputs. */
static void save_and_load(dafl_network *network, const dafl_network_info *info, const float *input, const float *output) {
    static char path[64];
    if (!path[0]) snprintf(path, sizeof path, "/dev/shm/dafl-fuzz-%d", (int)getpid());
    dafl_status status = dafl_network_save(network, path);
    /* A text beyond what a file may carry. */
    if (status == DAFL_ERROR_UNSUPPORTED) return;
    REQUIRE(status == DAFL_OK);
    dafl_network *again = NULL;
    status = dafl_network_load(path, &again);
    if (!is_out_of_memory(status)) {
        REQUIRE(status == DAFL_OK);
        float *outputs = calloc((size_t)info->outputs, sizeof *outputs);
        REQUIRE(dafl_network_set_threads(again, 1) == DAFL_OK);
        status = dafl_network_predict(again, input, 1, outputs);
        REQUIRE(status == DAFL_OK || is_out_of_memory(status));
        for (int64_t i = 0; status == DAFL_OK && i < info->outputs; i++) {
            REQUIRE(outputs[i] == output[i] || (isnan(outputs[i]) && isnan(output[i])));
        }
        free(outputs);
        dafl_network_destroy(again);
    }
    /* Not all that is read has a form in ONNX: what comes is an answer, and what is written can be looked at. */
    if (dafl_network_save_onnx(network, path, -1) == DAFL_OK && dafl_network_load(path, &again) == DAFL_OK) {
        dafl_network_destroy(again);
    }
    unlink(path);
}

static bool is_chosen(const uint8_t *data, size_t size) {
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < size; i++) sum = (sum ^ data[i]) * 16777619u;
    return (sum >> 16) % 8 == 0;
}

void use(dafl_network *network, const uint8_t *data, size_t size) {
    if (!network) return;
    dafl_network_info info = {.struct_size = sizeof info};
    REQUIRE(dafl_network_describe(network, &info) == DAFL_OK);
    REQUIRE(info.outputs >= 1 && info.tensors >= 0 && info.parameters >= 0 && info.multiply_adds >= 0);
    dafl_tensor tensor = {.struct_size = sizeof tensor};
    REQUIRE(dafl_network_tensor(network, info.tensors, &tensor) == DAFL_ERROR_INVALID_ARGUMENT);
    int64_t inputs = 1;
    for (int i = 0; i < 3; i++) {
        REQUIRE(info.input_shape[i] >= 1);
        inputs = inputs > 1 << 20 ? inputs : inputs * info.input_shape[i];
    }
    /* What a program allocates by the shape that it is told must be what predict reads. */
    const char *graph = NULL;
    REQUIRE(dafl_network_graph(network, &graph) == DAFL_OK);
    const char *shape = strstr(graph, "\"input\":[");
    REQUIRE(shape != NULL);
    int64_t numbers = 1;
    for (shape += strlen("\"input\":["); *shape && *shape != ']'; shape += *shape == ',') {
        int64_t size = strtoll(shape, (char **)&shape, 10);
        numbers = numbers > 1 << 20 ? numbers : numbers * size;
    }
    REQUIRE(numbers == inputs || (numbers > 1 << 20 && inputs > 1 << 20));
    REQUIRE(dafl_network_set_threads(network, 1) == DAFL_OK);
    if (is_chosen(data, size) && info.parameters <= 100000 && info.multiply_adds <= 1000000 && inputs <= 5000 && info.outputs <= 5000) {
        float *input = calloc((size_t)inputs * 2, sizeof *input), *output = calloc((size_t)info.outputs * 2, sizeof *output);
        for (int64_t i = 0; i < inputs * 2; i++) input[i] = (float)(i % 7) / 3 - 1;
        dafl_status status = dafl_network_predict(network, input, 1, output);
        REQUIRE(status == DAFL_OK || is_out_of_memory(status));
        dafl_network *other = NULL;
        if (status == DAFL_OK) {
            status = dafl_network_predict(network, input, 2, output);
            REQUIRE(status == DAFL_OK || is_out_of_memory(status));
            REQUIRE(dafl_network_predict(network, input, 1, output) == DAFL_OK);
            save_and_load(network, &info, input, output);
            status = dafl_network_fold(network, &other);
            REQUIRE(status == DAFL_OK || is_out_of_memory(status));
            dafl_network_destroy(other);
        }
        status = dafl_network_create(graph, 1, &other);
        REQUIRE(status == DAFL_OK || is_out_of_memory(status));
        dafl_network_destroy(other);
        free(input);
        free(output);
    }
    dafl_network_destroy(network);
}

/* -------------------------------------------------------------------------------------------------------- safetensors */

size_t mutate_safetensors(uint8_t *data, size_t size, size_t capacity, unsigned *seed) {
    uint64_t length = 0;
    if (size >= 9) memcpy(&length, data, 8);
    if (size < 9 || length > size - 8 || random_below(seed, 8) == 0) return LLVMFuzzerMutate(data, size, capacity);
    size_t start = 8 + (size_t)length, rest = size - start;
    if (rest > 0 && random_below(seed, 4) == 0) return start + LLVMFuzzerMutate(data + start, rest, capacity - start);
    static uint8_t numbers[LARGEST_INPUT];
    if (rest > sizeof numbers || capacity < 9 + rest) return LLVMFuzzerMutate(data, size, capacity);
    memcpy(numbers, data + start, rest);
    length = LLVMFuzzerMutate(data + 8, (size_t)length, capacity - 8 - rest);
    memcpy(data, &length, 8);
    memcpy(data + 8 + length, numbers, rest);
    return 8 + (size_t)length + rest;
}
