#define _GNU_SOURCE // sched_getaffinity, which Swift's Glibc does not show
#include "include/lane_kernels.h"

#include <errno.h>
#include <sched.h>

int lane_available_processors(void) {
    // The system refuses a set that is too small for the machine's processors.
    for (int most = CPU_SETSIZE; most <= 1 << 20; most *= 2) {
        cpu_set_t *set = CPU_ALLOC(most);
        if (!set) return 1;
        size_t size = CPU_ALLOC_SIZE(most);
        int failed = sched_getaffinity(0, size, set);
        int count = failed ? 0 : CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (!failed) return count;
        if (errno != EINVAL) return 1;
    }
    return 1;
}
