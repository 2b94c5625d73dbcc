/*
 * What the C boundary promises: it refuses what it cannot do, in words, and leaves the host alone.
 *
 * Prints every promise that does not hold, then "N passed, M failed".
 */
#include "check.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static atomic_int passed, failed; /* some tests check from several threads */

void check_that(bool holds, const char *file, int line, const char *what) {
    if (holds) {
        passed++;
    } else {
        failed++;
        printf("%s:%d: does not hold: %s\n", file, line, what);
    }
}

void check_status(dafl_status got, dafl_status wanted, dafl_status or_else, const char *file, int line,
                  const char *call) {
    /* An error without a message is as wrong as the wrong status. A callback's own number needs none. */
    bool explained = got >= 0 || strlen(dafl_last_error()) > 0;
    if ((got == wanted || got == or_else) && explained) {
        passed++;
        return;
    }
    failed++;
    printf("%s:%d: %s\n    answered %d (%s) \"%s\", not %d (%s)\n", file, line, call, got, dafl_status_name(got),
           dafl_last_error(), wanted, dafl_status_name(wanted));
}

void check_message(const char *word, const char *value, const char *file, int line, const char *call) {
    if (strstr(dafl_last_error(), word) && strstr(dafl_last_error(), value)) {
        passed++;
        return;
    }
    failed++;
    printf("%s:%d: %s\n    \"%s\" does not name '%s' and '%s'\n", file, line, call, dafl_last_error(), word, value);
}

static void test_process(void) {
    int handlers = 0;
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0) continue;
        handlers += action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
    }
    CHECK(handlers == 0);
}

/* All, or those that the arguments name. */
int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
        {"status", test_status}, {"network", test_network}, {"files", test_files}, {"distillation", test_distillation},
        {"callbacks", test_callbacks}, {"checkpoint", test_checkpoint}, {"compression", test_compression},
#ifndef WITHOUT_ALLOCATION_TEST
        {"allocation", test_allocation},
#endif
        {"versions", test_versions}, {"threads", test_threads}, {"ranks", test_ranks}, {"strangers", test_strangers}, {"faults", test_faults},
        {"process", test_process},
    };
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was said before a crash is not lost */
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        bool named = count < 2;
        for (int k = 1; k < count; k++) named |= strcmp(arguments[k], tests[i].name) == 0;
        if (named) tests[i].run();
    }
    printf("%d passed, %d failed\n", atomic_load(&passed), atomic_load(&failed));
    return atomic_load(&failed) > 0;
}
