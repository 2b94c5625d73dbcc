/* What a host has set for itself is as it was, after the library was loaded, has worked and was destroyed: every signal's handler,
 * signal mask, locale, floating-point mode, environment, limits, umask, working folder, the stacks of new threads, open files
 * and threads. And what it sets changes no byte of what the library makes. Prints each promise that does not hold.
 *
 *     host_state LIBRARY FOLDER all|default     loads the library late, as a plugin is, and works in the folder, with all
 *                                               floating-point modes or the default one; prints a sum of what it made */
#define _GNU_SOURCE
#include <dafl.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

extern char **environ;
static int failures;

static void check(bool holds, const char *what, const char *when) {
    if (holds) return;
    failures++;
    fprintf(stderr, "host_state: %s: not as before %s\n", what, when);
}

/* Every exported function that is used here, from the library that was loaded. */
#define FUNCTIONS(each)                                                                                         \
    each(dafl_network_create) each(dafl_network_save) each(dafl_network_load) each(dafl_network_predict)         \
    each(dafl_network_train) each(dafl_network_set_tensor) each(dafl_network_set_threads) each(dafl_train_options_init) each(dafl_network_destroy) each(dafl_network_tensor)  \
    each(dafl_teacher_init) each(dafl_distillation_options_init) each(dafl_distillation_create)                  \
    each(dafl_distillation_run) each(dafl_distillation_step) each(dafl_distillation_save)                        \
    each(dafl_distillation_load) each(dafl_distillation_student) each(dafl_distillation_generate)                \
    each(dafl_distillation_destroy) each(dafl_last_error)
#define DECLARE(name) static __typeof__(name) *the_##name;
FUNCTIONS(DECLARE)

static void load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
#define FIND(name) *(void **)&the_##name = dlsym(library, #name);
    FUNCTIONS(FIND)
}

static void must(dafl_status status, const char *what) {
    if (!status) return;
    fprintf(stderr, "host_state: %s: %d %s\n", what, status, the_dafl_last_error());
    exit(1);
}
#define MUST(call) must(the_##call, #call)

/* ------------------------------------------------------------------------------------------------ what a host has */

static int entries(const char *folder) {
    int count = 0;
    DIR *listing = opendir(folder);
    while (listing && readdir(listing)) count++;
    if (listing) closedir(listing);
    return count;
}

/* A thread that has ended may be listed for a moment more. */
static int threads_left(int expected) {
    int count = 0;
    for (int i = 0; i < 200; i++) {
        count = entries("/proc/self/task");
        if (count == expected) break;
        usleep(1000);
    }
    return count;
}

typedef struct {
    unsigned mxcsr;
    unsigned short x87;
    int rounding, traps, raised;
} mode;

static mode current_mode(void) {
    mode now = {.rounding = fegetround(), .traps = fegetexcept(), .raised = fetestexcept(FE_ALL_EXCEPT)};
#if defined(__x86_64__)
    now.mxcsr = _mm_getcsr();
    __asm__ volatile("fnstcw %0" : "=m"(now.x87));
#endif
    return now;
}

static bool same_mode(mode a, mode b) {
    return a.mxcsr == b.mxcsr && a.x87 == b.x87 && a.rounding == b.rounding && a.traps == b.traps && a.raised == b.raised;
}

enum { LIMITS = RLIM_NLIMITS, SIGNALS = 65, VARIABLES = 4096 };

typedef struct {
    struct sigaction actions[SIGNALS];
    sigset_t mask;
    char locales[1024], folder[4096];
    mode mode;
    char **environ;
    char *variables[VARIABLES], *copies[VARIABLES];
    struct rlimit limits[LIMITS];
    mode_t umask;
    size_t stack, guard;
    stack_t alternative;
    int files, threads, priority;
    off_t out, error;
} state;

static void see(state *now, int threads) {
    memset(now, 0, sizeof *now);
    for (int i = 1; i < SIGNALS; i++) sigaction(i, NULL, &now->actions[i]);
    pthread_sigmask(SIG_BLOCK, NULL, &now->mask);
    snprintf(now->locales, sizeof now->locales, "%s %s %p", setlocale(LC_ALL, NULL), localeconv()->decimal_point,
             (void *)uselocale((locale_t)0));
    if (!getcwd(now->folder, sizeof now->folder)) exit(1);
    now->environ = environ;
    for (int i = 0; environ[i] && i < VARIABLES - 1; i++) {
        now->variables[i] = environ[i];
        now->copies[i] = strdup(environ[i]);
    }
    for (int i = 0; i < LIMITS; i++) getrlimit(i, &now->limits[i]);
    now->umask = umask(0);
    umask(now->umask);
    pthread_attr_t attributes;
    pthread_getattr_default_np(&attributes);
    pthread_attr_getstacksize(&attributes, &now->stack);
    pthread_attr_getguardsize(&attributes, &now->guard);
    pthread_attr_destroy(&attributes);
    sigaltstack(NULL, &now->alternative);
    now->priority = getpriority(PRIO_PROCESS, 0);
    now->files = entries("/proc/self/fd");
    now->threads = threads < 0 ? entries("/proc/self/task") : threads_left(threads);
    now->out = lseek(1, 0, SEEK_END);
    now->error = lseek(2, 0, SEEK_END);
    now->mode = current_mode();
}

/* Behind the signals that there are, a set's bytes may be anything. */
static bool same_set(const sigset_t *a, const sigset_t *b) {
    for (int i = 1; i < SIGNALS; i++) {
        if (sigismember(a, i) != sigismember(b, i)) return false;
    }
    return true;
}

static void compare(const state *a, const state *b, const char *when) {
    check(same_mode(a->mode, b->mode), "floating-point mode", when);
    for (int i = 1; i < SIGNALS; i++) {
        bool same = a->actions[i].sa_sigaction == b->actions[i].sa_sigaction && a->actions[i].sa_flags == b->actions[i].sa_flags
            && same_set(&a->actions[i].sa_mask, &b->actions[i].sa_mask);
        check(same, strsignal(i) ? strsignal(i) : "a signal", when);
    }
    check(same_set(&a->mask, &b->mask), "signal mask", when);
    check(strcmp(a->locales, b->locales) == 0, "locale", when);
    check(strcmp(a->folder, b->folder) == 0, "working folder", when);
    check(a->environ == b->environ, "environ", when);
    for (int i = 0; i < VARIABLES; i++) {
        check(a->variables[i] == b->variables[i], "the environment's places", when);
        check(!a->copies[i] == !b->copies[i] && (!a->copies[i] || strcmp(a->copies[i], b->copies[i]) == 0), "the environment", when);
    }
    check(memcmp(a->limits, b->limits, sizeof a->limits) == 0, "limits", when);
    check(a->umask == b->umask, "umask", when);
    check(a->stack == b->stack && a->guard == b->guard, "stacks of new threads", when);
    check(a->alternative.ss_sp == b->alternative.ss_sp, "alternative signal stack", when);
    check(a->priority == b->priority, "priority", when);
    check(a->files == b->files, "number of open files", when);
    check(a->threads == b->threads, "number of threads", when);
    check(a->out == b->out, "standard output", when);
    check(a->error == b->error, "standard error", when);
}

/* ------------------------------------------------------------------------------------------------ what it lets work */

enum { INPUTS = 64, CLASSES = 4 };

typedef struct {
    float a[CLASSES][INPUTS];
    mode mode; /* what callbacks have to find */
    bool quiet; /* and need not look */
    int calls;
} teacher_state;

static void look(teacher_state *self) {
    self->calls++;
    mode now = current_mode();
    if (self->quiet) return;
    now.raised = self->mode.raised;
    now.mxcsr = (now.mxcsr & ~0x3fu) | (self->mode.mxcsr & 0x3f); /* what was raised may differ by the callback's own work */
    check(same_mode(now, self->mode), "floating-point mode", "within a callback");
}

static int forward(void *user_data, int64_t count, const float *images, float *logits, float *features) {
    teacher_state *self = user_data;
    (void)features;
    look(self);
    for (int64_t i = 0; i < count; i++)
        for (int c = 0; c < CLASSES; c++) {
            /* In whole numbers, so that the host's mode makes no difference here. */
            int64_t sum = 0;
            for (int p = 0; p < INPUTS; p++) {
                union { float f; uint32_t u; } x = {.f = images[i * INPUTS + p]};
                int32_t exponent = (int32_t)(x.u >> 23 & 255) - 127 - 23 + 20;
                int64_t whole = (int64_t)(x.u & 0x7fffff) | 0x800000;
                whole = exponent < -40 ? 0 : exponent < 0 ? whole >> -exponent : exponent < 20 ? whole << exponent : 0;
                sum += (x.u >> 31 ? -whole : whole) * (int64_t)self->a[c][p];
            }
            logits[i * CLASSES + c] = (float)(int32_t)(sum >> 14 & ~INT64_C(255)) / 4096;
        }
    return 0;
}

static int on_progress(void *user_data, const dafl_progress *progress) {
    (void)progress;
    look(user_data);
    return 0;
}

static int on_epoch(void *user_data, int64_t epoch, int64_t epochs, double loss) {
    (void)epoch, (void)epochs, (void)loss;
    look(user_data);
    return 0;
}

static int on_step(void *user_data, int64_t step, int64_t steps, double loss) {
    (void)step, (void)steps, (void)loss;
    look(user_data);
    return 0;
}

static void on_log(void *user_data, int level, const char *text) {
    (void)level, (void)text;
    look(user_data);
}

static uint64_t add(uint64_t hash, const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(1099511628211);
    return hash;
}

static uint64_t add_tensors(uint64_t hash, dafl_network *network) {
    dafl_tensor tensor = {.struct_size = sizeof tensor};
    for (int64_t i = 0; the_dafl_network_tensor(network, i, &tensor) == DAFL_OK; i++)
        hash = add(hash, tensor.data, (size_t)tensor.count * sizeof(float));
    return hash;
}

static teacher_state teacher;

/* All kinds of work, and a sum of the bytes that come of it. */
static uint64_t work(int threads) {
    dafl_teacher c;
    dafl_distillation_options options;
    dafl_distillation *distillation = NULL, *resumed = NULL;
    dafl_network *student = NULL, *other = NULL, *network = NULL;
    uint64_t hash = UINT64_C(14695981039346656037);
    for (int i = 0; i < CLASSES * INPUTS; i++) teacher.a[i / INPUTS][i % INPUTS] = (float)(i * 7919 % 101 - 50);
    MUST(dafl_teacher_init(&c, sizeof c));
    c.user_data = &teacher;
    c.input_shape[0] = 1;
    c.input_shape[1] = c.input_shape[2] = 8;
    c.classes = CLASSES;
    c.forward = forward;
    MUST(dafl_distillation_options_init(&options, sizeof options));
    options.student = "mlp-64-16-4";
    options.threads = threads;
    options.steps = 12;
    options.batch_size = 40;
    options.student_steps = 2;
    options.replay_capacity = 200;
    options.generator_width = 8;
    options.restart_steps = 5;
    options.student_learning_rate = 0.0125;
    options.log = on_log;
    options.log_user_data = &teacher;
    options.checkpoint = "automatic.dafl";
    options.checkpoint_steps = 3;
    remove("automatic.dafl");
    MUST(dafl_distillation_create(&c, &options, &distillation));
    for (int i = 0; i < 5; i++) MUST(dafl_distillation_step(distillation, NULL));
    MUST(dafl_distillation_save(distillation, "run.dafl"));
    MUST(dafl_distillation_run(distillation, on_progress, &teacher));
    MUST(dafl_distillation_student(distillation, &student));
    hash = add_tensors(hash, student);
    MUST(dafl_distillation_load("run.dafl", &c, NULL, &resumed));
    MUST(dafl_distillation_run(resumed, on_progress, &teacher));
    MUST(dafl_distillation_student(resumed, &other));
    uint64_t again = add_tensors(UINT64_C(14695981039346656037), other);
    check(again == hash, "the student's bytes", "after going on from a file");
    float images[3 * INPUTS], outputs[3 * CLASSES];
    MUST(dafl_distillation_generate(distillation, 3, images, NULL));
    hash = add(hash, images, sizeof images);
    MUST(dafl_network_predict(student, images, 3, outputs));
    hash = add(hash, outputs, sizeof outputs);

    /* Numbers so small that flushing them shows: weights of a network, and what it answers. */
    dafl_train_options training;
    static float tiny[64 * INPUTS], small[64 * CLASSES];
    static int64_t labels[64];
    for (int i = 0; i < 64 * INPUTS; i++) {
        union { uint32_t u; float f; } x = {.u = (uint32_t)(i * 7919 % 101) << 12};
        tiny[i] = x.f; /* denormal */
    }
    for (int i = 0; i < 64; i++) labels[i] = i % CLASSES;
    MUST(dafl_network_create("mlp-64-16-4", 3, &network));
    MUST(dafl_network_set_threads(network, threads));
    static const float zeros[16];
    MUST(dafl_network_set_tensor(network, "fc1.bias", zeros, 16));
    MUST(dafl_network_set_tensor(network, "fc2.bias", zeros, 4));
    MUST(dafl_network_predict(network, tiny, 64, small));
    hash = add(hash, small, sizeof small); /* denormal too */
    MUST(dafl_train_options_init(&training, sizeof training));
    training.epochs = 2;
    training.batch_size = 16;
    training.on_epoch = on_epoch;
    training.on_step = on_step;
    training.user_data = &teacher;
    MUST(dafl_network_train(network, tiny, labels, 64, &training));
    MUST(dafl_network_predict(network, tiny, 64, small));
    hash = add_tensors(add(hash, small, sizeof small), network);
    MUST(dafl_network_save(network, "network.safetensors"));
    MUST(dafl_network_save(network, "network.onnx"));
    the_dafl_network_destroy(network);
    MUST(dafl_network_load("network.safetensors", &network));
    hash = add_tensors(hash, network);
    the_dafl_network_destroy(network);
    MUST(dafl_network_load("network.onnx", &network));
    hash = add_tensors(hash, network);
    /* And failures too. */
    dafl_network *none = NULL;
    if (the_dafl_network_load("nowhere", &none) == DAFL_OK || the_dafl_network_create("no-such", 1, &none) == DAFL_OK) exit(1);
    the_dafl_network_destroy(network);
    the_dafl_network_destroy(student);
    the_dafl_network_destroy(other);
    the_dafl_distillation_destroy(resumed);
    the_dafl_distillation_destroy(distillation);
    return hash;
}

/* ------------------------------------------------------------------------------------------------ what it sets */

static void ignore(int signal) { (void)signal; }

static void none(void) {}
static void round_up(void) { fesetround(FE_UPWARD); }
static void trap(void) { feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW); }
#if defined(__x86_64__)
static void flush(void) { _mm_setcsr(_mm_getcsr() | 0x8040); }
static void short_x87(void) {
    unsigned short word = 0x27f; /* 53 bits, as some hosts have it */
    __asm__ volatile("fldcw %0" : : "m"(word));
}
#endif

static void threads_of_two_modes(void) {
    static float images[256 * INPUTS], wanted[256 * CLASSES], outputs[256 * CLASSES];
    static const float zeros[16];
    dafl_network *network = NULL;
    for (int i = 0; i < 256 * INPUTS; i++) images[i] = (float)(i * 7919 % 101) * 1e-40f;
    MUST(dafl_network_create("mlp-64-16-4", 3, &network));
    MUST(dafl_network_set_tensor(network, "fc1.bias", zeros, 16));
    MUST(dafl_network_set_tensor(network, "fc2.bias", zeros, 4));
    MUST(dafl_network_set_threads(network, 1));
    MUST(dafl_network_predict(network, images, 256, wanted));
    MUST(dafl_network_set_threads(network, 2));
    for (int round = 0; round < 20; round++) {
#if defined(__x86_64__)
        unsigned before = _mm_getcsr();
        if (round % 3 == 0) _mm_setcsr(before | 0x8040);
#endif
        MUST(dafl_network_predict(network, images, 256, outputs));
#if defined(__x86_64__)
        _mm_setcsr(before);
#endif
        check(memcmp(outputs, wanted, sizeof wanted) == 0, "answers", "with threads of two modes");
    }
    the_dafl_network_destroy(network);
}

int main(int count, char **arguments) {
    if (count < 4) return 2;
    static state before, after;
    static const struct {
        const char *name;
        void (*set)(void);
    } modes[] = {
        {"the default mode", none},
        {"rounding upwards", round_up},
        {"traps", trap},
#if defined(__x86_64__)
        {"denormals flushed", flush},
        {"x87 numbers of 53 bits", short_x87},
#endif
    };

    /* A host that has set all that it can. */
    if (chdir(arguments[2]) != 0) return 2;
    setlocale(LC_ALL, "");
    for (int i = 1; i < SIGNALS; i++) {
        struct sigaction action = {.sa_handler = i % 3 ? ignore : SIG_IGN, .sa_flags = i % 2 ? SA_RESTART : 0};
        if (i != SIGCHLD) sigaction(i, &action, NULL);
    }
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigaddset(&mask, SIGWINCH);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    umask(027);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 3 << 20);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);

    see(&before, -1);
    load(arguments[1]);
    see(&after, before.threads);
    compare(&before, &after, "after loading");

    fenv_t own;
    fegetenv(&own);
    uint64_t wanted[2] = {0, 0};
    size_t tried = strcmp(arguments[3], "all") ? 1 : sizeof modes / sizeof *modes;
    for (size_t i = 0; i < tried; i++) {
        for (int threads = 1; threads <= 2; threads++) {
            fesetenv(&own);
            modes[i].set();
            feclearexcept(FE_ALL_EXCEPT);
            teacher.mode = current_mode();
            see(&before, -1);
            uint64_t sum = work(threads);
            see(&after, before.threads);
            fesetenv(&own);
            compare(&before, &after, modes[i].name);
            if (!i) wanted[threads - 1] = sum;
            check(sum == wanted[threads - 1], "the bytes made with", modes[i].name);
        }
    }
    /* One that threads of several modes use: those of the library, which one call started, are no other than the next one's. */
    fesetenv(&own);
    threads_of_two_modes();
    printf("%016llx %016llx\n", (unsigned long long)wanted[0], (unsigned long long)wanted[1]);
    return failures != 0;
}
