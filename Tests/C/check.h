/* Counts what holds and what does not, and says only the latter. */
#ifndef CHECK_H
#define CHECK_H

#include <dafl.h>
#include <stdbool.h>

void check_that(bool holds, const char *file, int line, const char *what);
void check_status(dafl_status got, dafl_status wanted, dafl_status or_else, const char *file, int line,
                  const char *call);
void check_message(const char *word, const char *value, const char *file, int line, const char *call);

/* The condition holds. */
#define CHECK(condition) check_that(condition, __FILE__, __LINE__, #condition)

/* The call answers this status. */
#define EXPECT(status, call) check_status(call, status, status, __FILE__, __LINE__, #call)
#define WORKS(call) check_status(call, DAFL_OK, DAFL_OK, __FILE__, __LINE__, #call)

/* The call answers one of two statuses: for what the contract leaves open. */
#define EXPECT_EITHER(status, other, call) check_status(call, status, other, __FILE__, __LINE__, #call)

/* The call refuses an argument, and the message names it and, unless value is "", its value. */
#define REFUSES(argument, value, call)                                   \
    do {                                                                 \
        EXPECT(DAFL_ERROR_INVALID_ARGUMENT, call);                       \
        check_message(argument, value, __FILE__, __LINE__, #call);       \
    } while (0)

/* The call refuses a size that no memory can hold. */
#define TOO_LARGE(call) EXPECT_EITHER(DAFL_ERROR_INVALID_ARGUMENT, DAFL_ERROR_OUT_OF_MEMORY, call)

/* One function for each test file. */
void test_status(void);
void test_network(void);
void test_files(void);
void test_distillation(void);
void test_callbacks(void);
void test_checkpoint(void);
void test_compression(void);
void test_allocation(void);
void test_versions(void);
void test_threads(void);
void test_ranks(void);
void test_strangers(void);
void test_faults(void);

#endif
