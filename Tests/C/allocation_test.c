/* A steady step takes no memory for numbers: what the networks work in was planned at the start. What is left are the
 * closures that threads share, of some bytes each. */
#include "check.h"
#include "fixtures.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#ifndef WITHOUT_ALLOCATION_TEST /* its allocator is in the way of those that look for leaks and races */

/* The program's own allocator functions come before the C library's, for libdafl too: they count and hand on. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_bool counts;
static atomic_llong largest;

static void note(size_t size) {
    if (!atomic_load(&counts)) return;
    if ((long long)size > atomic_load(&largest)) largest = (long long)size;
}

void *malloc(size_t size) {
    note(size);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    note(count * size);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
    note(size);
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note(size);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    note(size);
    *memory = __libc_memalign(alignment, size);
    return *memory ? 0 : ENOMEM;
}

static void test_preset(const char *preset, const char *gradients) {
    dafl_network *teacher = make_network("lenet5", 1);
    dafl_distillation_options options = small_options();
    WORKS(dafl_distillation_options_preset(&options, preset));
    options.student = "lenet5-half";
    options.gradients = gradients;
    options.threads = 2;
    options.batch_size = 40;
    options.generator_width = 8;
    dafl_distillation *distillation = NULL;
    WORKS(dafl_distillation_create_from_network(teacher, &options, &distillation));
    for (int i = 0; i < 3; i++) WORKS(dafl_distillation_step(distillation, NULL));
    largest = 0;
    counts = true;
    dafl_status status = dafl_distillation_step(distillation, NULL);
    counts = false;
    CHECK(status == DAFL_OK);
    CHECK(largest < 1024); /* one layer's numbers would be ten times as many bytes at least */
    dafl_distillation_destroy(distillation);
    dafl_network_destroy(teacher);
}

void test_allocation(void) {
    counts = true;
    free(malloc(1000));
    counts = false;
    CHECK(largest == 1000); /* the counting itself works */
    test_preset("fast", "auto");
    test_preset("paper", "auto");
    test_preset("fast", "differences");
}

#endif
