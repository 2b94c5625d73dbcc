#define _GNU_SOURCE // sched_getaffinity, which Swift's Glibc does not show
#include "include/lane_kernels.h"

#include <sched.h>

int lane_available_processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}
