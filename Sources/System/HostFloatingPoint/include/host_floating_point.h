// The host's floating-point mode - rounding, flushing of denormals, traps - is set aside while the library is at work on a
// thread, so that the same seed gives the same bytes on any; callbacks of the host have it again.
#ifndef HOST_FLOATING_POINT_H
#define HOST_FLOATING_POINT_H

#include <fenv.h>

// A thread's mode, with the exceptions that it has raised.
struct floating_point_mode {
#if defined(__x86_64__)
    // fegetenv and fesetenv, which see to the whole of the x87 unit, take as long as a small network.
    unsigned vectors;
    unsigned short x87;
#else
    fenv_t environment;
#endif
};

struct host_floating_point {
    struct floating_point_mode mode;
    struct host_floating_point *outer; // of the call that a callback interrupts with another; NULL for none
};

// Notes the host's mode in `host`, which must stay where it is until the end, and sets the default one.
void host_floating_point_begin(struct host_floating_point *host);
// Sets the noted mode again.
void host_floating_point_end(struct host_floating_point *host);

// Around a callback. What mode the callback leaves is the host's from then on. Outside of a call they do nothing.
void host_floating_point_call(void);
void host_floating_point_return(void);

#endif
