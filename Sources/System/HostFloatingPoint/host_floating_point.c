#include "include/host_floating_point.h"

#include <stddef.h>

// Of this thread's call at work. A pointer alone, and with a model that takes no memory at the first use, which might be refused.
static _Thread_local struct host_floating_point *current __attribute__((tls_model("initial-exec")));

#if defined(__x86_64__)

#include <immintrin.h>

enum { DEFAULT_VECTORS = 0x1f80, DEFAULT_X87 = 0x37f }; // round to nearest, nothing flushed, nothing trapped

static void set_aside(struct floating_point_mode *mode) {
    mode->vectors = _mm_getcsr();
    if (mode->vectors != DEFAULT_VECTORS) _mm_setcsr(DEFAULT_VECTORS);
    // The library has no numbers of the x87 unit, but the C library asks it how to round.
    __asm__ volatile("fnstcw %0" : "=m"(mode->x87));
    unsigned short usual = DEFAULT_X87;
    if (mode->x87 != usual) __asm__ volatile("fldcw %0" : : "m"(usual));
}

static void set_again(const struct floating_point_mode *mode) {
    if (_mm_getcsr() != mode->vectors) _mm_setcsr(mode->vectors);
    if (mode->x87 != DEFAULT_X87) __asm__ volatile("fldcw %0" : : "m"(mode->x87));
}

#else

static void set_aside(struct floating_point_mode *mode) {
    fegetenv(&mode->environment);
    fesetenv(FE_DFL_ENV);
}

static void set_again(const struct floating_point_mode *mode) { fesetenv(&mode->environment); }

#endif

void host_floating_point_begin(struct host_floating_point *host) {
    host->outer = current;
    current = host;
    set_aside(&host->mode);
}

void host_floating_point_end(struct host_floating_point *host) {
    current = host->outer;
    set_again(&host->mode);
}

void host_floating_point_call(void) {
    if (current) set_again(&current->mode);
}

void host_floating_point_return(void) {
    if (current) set_aside(&current->mode);
}
