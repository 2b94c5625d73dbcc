/* What the fuzzers of files and texts share: what is done with a network that was read, and how memory is counted. */
#ifndef HARNESS_H
#define HARNESS_H

#include <dafl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LARGEST_INPUT = 1 << 16 };

/* Ends the process, which the fuzzer reports with the input, unless the condition holds. */
#define REQUIRE(condition) require_that(condition, #condition, __FILE__, __LINE__)
void require_that(bool holds, const char *condition, const char *file, int line);

/* The fuzzer's own change of some bytes, and a random number below `below` from its seed. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);
unsigned random_below(unsigned *seed, unsigned below);

/* The call that read `size` bytes, between the two: its peak of memory must be in proportion to them. */
void memory_begin(void);
void memory_end(size_t size, int64_t allowance);

/*
 * The answer of a call that reads something hostile: one of the documented errors, and a message with it. How many were read without
 * one is told at the end: where none was, little of the library was tried.
 */
void require_answer(dafl_status status, const void *out);

/*
 * All that can be done with a small network, and its destruction. What one call says must fit what the others say. It takes many
 * times as long as to read a network, so all of it is done for an eighth of the inputs, those with a certain checksum.
 */
void use(dafl_network *network, const uint8_t *data, size_t size);

/* What a network that was read may take beside its file and its numbers, for its layers' objects. */
int64_t allowance_of(dafl_network *network);

/* Of a safetensors file: changes its header's text and tells its length anew, or its numbers. */
size_t mutate_safetensors(uint8_t *data, size_t size, size_t capacity, unsigned *seed);

#endif
