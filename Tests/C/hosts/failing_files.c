/* The disk is full, broken, slow or not to be written: at every call to the system that a save or a load makes, one after the other.
 * Each answers a status, or goes on where it can; the file that was there stays byte for byte; nothing else is left in the folder;
 * and the run goes on to the bytes that it would have come to. The argument is an empty folder. */
#define _GNU_SOURCE
#include "small_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------------ a disk that fails
 * The program's own functions come before the C library's, for libdafl too. */

typedef enum { OPEN, WRITE, SHORT_WRITE, FSYNC, LINKAT, RENAME, FCHMOD, FLOCK, ACCESS, STAT, FSTAT, PREAD, SHORT_PREAD, KINDS } kind;

static const char *const names[KINDS] = {"open", "write", "short write", "fsync", "linkat", "rename", "fchmod",
                                         "flock", "access", "stat", "fstat", "pread", "short pread"};

static bool armed, for_ever, kills, without_nameless;
static kind failing;
static int nth, seen, code;
static long injected, scenarios;

static bool fails(kind this) {
    if (!armed || this != failing) return false;
    seen++;
    if (seen != nth && !(for_ever && seen > nth)) return false;
    if (kills) kill(getpid(), SIGKILL);
    injected++;
    errno = code;
    return true;
}

static void arm(kind which, int call, int error, bool always) {
    failing = which, nth = call, code = error, for_ever = always, seen = 0, armed = true;
}

/* Whether the call that was to fail came at all. */
static bool disarm(void) {
    armed = false;
    return seen >= nth;
}

static int open_at(int folder, const char *path, int flags, va_list arguments) {
    if (without_nameless && (flags & __O_TMPFILE) == __O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    return fails(OPEN) ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    int descriptor = open_at(AT_FDCWD, path, flags, arguments);
    va_end(arguments);
    return descriptor;
}

int openat(int folder, const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    int descriptor = open_at(folder, path, flags, arguments);
    va_end(arguments);
    return descriptor;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    if (fails(WRITE)) return -1;
    if (fails(SHORT_WRITE) && count > 1) count /= 2;
    return syscall(SYS_write, descriptor, bytes, count);
}

ssize_t pread(int descriptor, void *bytes, size_t count, off_t offset) {
    if (fails(PREAD)) return -1;
    if (fails(SHORT_PREAD) && count > 1) count /= 2;
    return syscall(SYS_pread64, descriptor, bytes, count, offset);
}

int fsync(int descriptor) { return fails(FSYNC) ? -1 : (int)syscall(SYS_fsync, descriptor); }

int linkat(int a, const char *old, int b, const char *new, int flags) {
    return fails(LINKAT) ? -1 : (int)syscall(SYS_linkat, a, old, b, new, flags);
}

int rename(const char *old, const char *new) {
    return fails(RENAME) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, 0);
}

int fchmod(int descriptor, mode_t mode) { return fails(FCHMOD) ? -1 : (int)syscall(SYS_fchmod, descriptor, mode); }

int flock(int descriptor, int operation) { return fails(FLOCK) ? -1 : (int)syscall(SYS_flock, descriptor, operation); }

int access(const char *path, int mode) { return fails(ACCESS) ? -1 : (int)syscall(SYS_faccessat, AT_FDCWD, path, mode); }

int stat(const char *restrict path, struct stat *restrict status) {
    return fails(STAT) ? -1 : fstatat(AT_FDCWD, path, status, 0);
}

int fstat(int descriptor, struct stat *status) { return fails(FSTAT) ? -1 : fstatat(descriptor, "", status, AT_EMPTY_PATH); }

/* ------------------------------------------------------------------------------------------------ what has to hold */

static int entries(const char *folder) {
    int count = 0;
    DIR *listing = opendir(folder);
    while (listing && readdir(listing)) count++;
    if (listing) closedir(listing);
    return count;
}

static dafl_teacher teacher;
static uint64_t wanted;
static unsigned char *before, *after;
static size_t before_size, after_size;
static const char file[] = "run.dafl";

static dafl_distillation *stepped(int steps, const char *checkpoint) {
    dafl_distillation *distillation = NULL;
    dafl_distillation_options options = small_options();
    options.checkpoint = checkpoint;
    options.checkpoint_steps = 1;
    MUST(dafl_distillation_create(&teacher, &options, &distillation));
    for (int i = 0; i < steps; i++) MUST(dafl_distillation_step(distillation, NULL));
    return distillation;
}

static void put(const char *path, const unsigned char *bytes, size_t size) {
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(bytes, 1, size, out) != size || fclose(out) != 0) exit(1);
}

/* The long form tries all of these. */
static const int errors[] = {ENOSPC, EINTR, EIO, EDQUOT, EROFS, EACCES, EMFILE};
static int error_count = 2;

/* One save after another, each with a call that fails, over a file that was there or where there is none. */
static void failing_saves(dafl_status (*save)(void *, const char *), void *handle, const char *path, const unsigned char *old,
                          size_t old_size, const unsigned char *new, size_t new_size) {
    for (kind which = 0; which < KINDS; which++) {
        for (int e = 0; e < error_count; e++) {
            bool came = true;
            for (int n = 1; came; n++) {
                if (old) put(path, old, old_size);
                else remove(path);
                int files = entries("."), descriptors = entries("/proc/self/fd");
                arm(which, n, errors[e], false);
                dafl_status status = save(handle, path);
                came = disarm();
                scenarios++;
                CHECK(status == DAFL_OK || status == DAFL_ERROR_IO, "%d at %s %d, %s", status, names[which], n, strerror(code));
                CHECK(!status || came, "%s, though nothing failed", dafl_last_error());
                CHECK(!status || strstr(dafl_last_error(), path), "no path in: %s", dafl_last_error());
                bool right = status ? small_same(path, old, old_size) : small_same(path, new, new_size);
                CHECK(right, "%s %d of %s: the file is another after status %d", names[which], n, path, status);
                CHECK(entries(".") == files + (!old && !status), "%s %d of %s leaves files", names[which], n, path);
                CHECK(entries("/proc/self/fd") == descriptors, "%s %d of %s leaves descriptors", names[which], n, path);
                bool must_fail = came && errors[e] != EINTR && (which == WRITE || which == FSYNC || which == RENAME || which == LINKAT);
                CHECK(!must_fail || status, "%s %d of %s failed, and nobody says so", names[which], n, path);
            }
        }
    }
    remove(path);
}

static dafl_status save_run(void *handle, const char *path) { return dafl_distillation_save(handle, path); }
static dafl_status save_network(void *handle, const char *path) { return dafl_network_save(handle, path); }

static void explicit_saves(void) {
    dafl_distillation *distillation = stepped(3, "");
    MUST(dafl_distillation_save(distillation, file));
    before = small_bytes(file, &before_size);
    for (int i = 0; i < 2; i++) MUST(dafl_distillation_step(distillation, NULL));
    MUST(dafl_distillation_save(distillation, file));
    after = small_bytes(file, &after_size);
    /* How long steps take is in the file. */
    failing_saves(save_run, distillation, file, before, before_size, after, after_size);
    failing_saves(save_run, distillation, file, NULL, 0, after, after_size);
    MUST(dafl_distillation_run(distillation, NULL, NULL));
    CHECK(small_sum(distillation) == wanted, "after the saves");

    dafl_network *student = NULL;
    MUST(dafl_distillation_student(distillation, &student));
    const char *paths[] = {"student.safetensors", "student.onnx"};
    for (int i = 0; i < 2; i++) {
        size_t size;
        MUST(dafl_network_save(student, paths[i]));
        unsigned char *bytes = small_bytes(paths[i], &size);
        failing_saves(save_network, student, paths[i], before, before_size, bytes, size);
        failing_saves(save_network, student, paths[i], NULL, 0, bytes, size);
        free(bytes);
    }
    dafl_network_destroy(student);
    dafl_distillation_destroy(distillation);
}

/* A run with automatic checkpoints, during which a call fails once or from then on: it does not end, and what is there loads. */
static void automatic_saves(int step_of_n) {
    static const kind kinds[] = {OPEN, WRITE, FSYNC, LINKAT, RENAME, STAT};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (int always = 0; always < 2; always++) {
            bool came = true;
            for (int n = 1; came; n += kinds[k] == WRITE ? step_of_n : 1) {
                remove(file);
                dafl_distillation *distillation = stepped(0, file), *loaded = NULL;
                arm(kinds[k], n, ENOSPC, always);
                dafl_status status = dafl_distillation_run(distillation, NULL, NULL);
                came = disarm();
                scenarios++;
                CHECK(!status, "a run ended with %d as %s %d failed", status, names[kinds[k]], n);
                CHECK(small_sum(distillation) == wanted, "%s %d changed the student", names[kinds[k]], n);
                dafl_distillation_destroy(distillation);
                CHECK(entries(".") == 3, "%s %d leaves files", names[kinds[k]], n);
                status = dafl_distillation_load(file, &teacher, NULL, &loaded);
                CHECK(!status, "%s %d left a file that does not load: %s", names[kinds[k]], n, dafl_last_error());
                if (status) continue;
                MUST(dafl_distillation_run(loaded, NULL, NULL));
                CHECK(small_sum(loaded) == wanted, "%s %d: gone on to another student", names[kinds[k]], n);
                dafl_distillation_destroy(loaded);
            }
        }
    }
    remove(file);
}

/* To begin where the first checkpoint cannot be written, and to go on where it cannot be read. */
static void beginnings(bool exists) {
    dafl_distillation_options options = small_options();
    options.checkpoint = file;
    for (kind which = 0; which < KINDS; which++) {
        bool came = true;
        for (int n = 1; came; n++) {
            if (exists) put(file, before, before_size);
            else remove(file);
            int descriptors = entries("/proc/self/fd");
            dafl_distillation *distillation = NULL;
            arm(which, n, EIO, false);
            dafl_status status = dafl_distillation_create(&teacher, &options, &distillation);
            came = disarm();
            scenarios++;
            CHECK(status == DAFL_OK || status == DAFL_ERROR_IO, "%d at %s %d: %s", status, names[which], n, dafl_last_error());
            CHECK(!status == (distillation != NULL), "a handle with status %d", status);
            if (exists) CHECK(small_same(file, before, before_size), "%s %d: the checkpoint is another", names[which], n);
            CHECK(entries(".") == 2 + (exists || !status), "%s %d leaves files", names[which], n);
            if (!status) {
                MUST(dafl_distillation_run(distillation, NULL, NULL));
                CHECK(small_sum(distillation) == wanted, "%s %d: another student", names[which], n);
            }
            dafl_distillation_destroy(distillation);
            CHECK(entries("/proc/self/fd") == descriptors, "%s %d leaves descriptors", names[which], n);
        }
    }
    remove(file);
}

static void failing_loads(void) {
    put(file, before, before_size);
    for (kind which = 0; which < KINDS; which++) {
        for (int e = 0; e < error_count; e++) {
            bool came = true;
            for (int n = 1; came; n++) {
                int descriptors = entries("/proc/self/fd");
                dafl_distillation *distillation = NULL;
                arm(which, n, errors[e], false);
                dafl_status status = dafl_distillation_load(file, &teacher, NULL, &distillation);
                came = disarm();
                scenarios++;
                CHECK(status == DAFL_OK || status == DAFL_ERROR_IO, "%d at %s %d: %s", status, names[which], n, dafl_last_error());
                CHECK(!status == (distillation != NULL), "a handle with status %d", status);
                if (!status && came) {
                    MUST(dafl_distillation_run(distillation, NULL, NULL));
                    CHECK(small_sum(distillation) == wanted, "%s %d: another student", names[which], n);
                }
                dafl_distillation_destroy(distillation);
                CHECK(entries("/proc/self/fd") == descriptors, "%s %d leaves descriptors", names[which], n);
            }
        }
    }
    CHECK(small_same(file, before, before_size), "loading changed the file");
    remove(file);
}

/* In a child, whose answer is whether it failed. */
static void in_child(const char *what, void (*body)(long), long argument) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        failures = 0;
        body(argument);
        fflush(stdout);
        _exit(failures != 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    scenarios++;
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s with %ld: it %s %d", what, argument,
          WIFSIGNALED(status) ? "was ended by signal" : "answered", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* To write beyond the limit for files is a signal that ends the process, unless nobody does. */
static void with_limit(long bytes) {
    signal(SIGXFSZ, SIG_DFL);
    struct rlimit limit = {.rlim_cur = (rlim_t)bytes, .rlim_max = RLIM_INFINITY};
    put(file, before, before_size);
    dafl_distillation *distillation = NULL;
    MUST(dafl_distillation_load(file, &teacher, NULL, &distillation));
    MUST(dafl_distillation_step(distillation, NULL));
    setrlimit(RLIMIT_FSIZE, &limit);
    dafl_status status = dafl_distillation_save(distillation, file);
    CHECK(status == (bytes < (long)after_size - 4096 ? DAFL_ERROR_IO : status), "%d for %ld of %zu bytes", status, bytes, after_size);
    if (status) CHECK(small_same(file, before, before_size), "a limit of %ld bytes changed the file", bytes);
    dafl_network *student = NULL;
    MUST(dafl_distillation_student(distillation, &student));
    status = dafl_network_save(student, "student.onnx");
    CHECK(status == DAFL_OK || status == DAFL_ERROR_IO, "%d", status);
    dafl_network_destroy(student);
    MUST(dafl_distillation_run(distillation, NULL, NULL));
    CHECK(small_sum(distillation) == wanted, "with a limit of %ld bytes", bytes);
    dafl_distillation_destroy(distillation);
    remove("student.onnx");
    CHECK(entries(".") == 3, "a limit of %ld bytes leaves files", bytes);
    remove(file);
}

/* Ends the process within the n-th call of a kind, n being the argument's last digits. */
static void killed(long argument) {
    kills = true;
    without_nameless = argument / 10000 % 2;
    put(file, before, before_size);
    dafl_distillation *distillation = NULL;
    MUST(dafl_distillation_load(file, &teacher, NULL, &distillation));
    for (int i = 0; i < 2; i++) MUST(dafl_distillation_step(distillation, NULL));
    arm((kind)(argument / 100000), (int)(argument % 10000), 0, false);
    MUST(dafl_distillation_save(distillation, file));
    _exit(3);
}

/* A process that is killed in each call of a save: the file is one of the two, and a run that goes on clears what is left. */
static void kills_in_every_call(void) {
    static const kind kinds[] = {OPEN, WRITE, FSYNC, LINKAT, RENAME};
    long left = 0, kills = 0;
    for (int nameless = 0; nameless < 2; nameless++) {
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            for (int n = 1; ; n++) {
                fflush(stdout);
                pid_t child = fork();
                if (child == 0) killed(kinds[k] * 100000L + nameless * 10000 + n);
                int status = 0;
                waitpid(child, &status, 0);
                scenarios++;
                if (WIFEXITED(status) && WEXITSTATUS(status) == 3) break; /* there is no such call */
                kills++;
                CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %d", status);
                CHECK(small_same(file, before, before_size), "killed in %s %d: the file is another", names[kinds[k]], n);
                left += entries(".") - 3;
                dafl_distillation_options options = small_options();
                options.checkpoint = file;
                dafl_distillation *distillation = NULL;
                MUST(dafl_distillation_create(&teacher, &options, &distillation));
                CHECK(entries(".") == 3, "killed in %s %d: something is left", names[kinds[k]], n);
                MUST(dafl_distillation_run(distillation, NULL, NULL));
                CHECK(small_sum(distillation) == wanted, "killed in %s %d: another student", names[kinds[k]], n);
                dafl_distillation_destroy(distillation);
            }
        }
    }
    CHECK(left > 0, "nothing was ever left, so that nothing was cleared");

    /* Names that are another's, or of one that is at work, stay. */
    put(".dafl-1-notes", before, 1);
    put(".dafl-1-2", before, 1);
    int working = open(".dafl-1-2", O_RDONLY);
    flock(working, LOCK_EX);
    for (int round = 0; round < 2; round++) {
        dafl_distillation *distillation = stepped(0, file);
        dafl_distillation_destroy(distillation);
        CHECK(entries(".") == 5 - round, "round %d: %d files", round, entries(".") - 2);
        if (!round) close(working);
    }
    remove(".dafl-1-notes");
    remove(file);
    printf("%ld kills, after which %ld files were left and cleared\n", kills, left);
}

/* What permissions say, which root need not ask. */
static void read_only(long is_file) {
    put(file, before, before_size);
    chmod(file, is_file ? 0444 : 0666);
    chmod(".", is_file ? 0777 : 0555);
    if (geteuid() == 0 && seteuid(65534) != 0) return;
    dafl_distillation *distillation = NULL, *another = NULL;
    MUST(dafl_distillation_load(file, &teacher, NULL, &distillation));
    CHECK(dafl_distillation_save(distillation, file) == DAFL_ERROR_IO, "over a file that is there");
    if (!is_file) CHECK(dafl_distillation_save(distillation, "new.dafl") == DAFL_ERROR_IO, "as a new file");
    dafl_distillation_options options = small_options();
    options.checkpoint = file;
    options.checkpoint_steps = 1;
    MUST(dafl_distillation_create(&teacher, &options, &another)); /* it goes on, and cannot write */
    MUST(dafl_distillation_run(another, NULL, NULL));
    CHECK(small_sum(another) == wanted, "with a checkpoint that cannot be written");
    dafl_distillation_destroy(another);
    CHECK(small_same(file, before, before_size), "what may not be written was");
    MUST(dafl_distillation_run(distillation, NULL, NULL));
    CHECK(small_sum(distillation) == wanted, "after a save that was refused");
    dafl_distillation_destroy(distillation);
    CHECK(entries(".") == 3, "something is left");
    if (geteuid() == 65534 && seteuid(0) != 0) return;
    chmod(".", 0777);
    remove(file);
}

/* A folder in which only some bytes fit: the run goes on, and what it leaves is whole. */
static void full_disk(const char *folder) {
    if (chdir(folder) != 0) exit(2);
    for (int room = 0; room < 12; room++) {
        /* Filled but for so many times 16 KB. */
        FILE *filler = fopen("filler", "wb");
        static char block[16384];
        if (!filler) exit(2);
        setvbuf(filler, NULL, _IONBF, 0);
        while (fwrite(block, 1, sizeof block, filler) == sizeof block) continue;
        long size = ftell(filler) - room * (long)sizeof block;
        if (size < 0 || ftruncate(fileno(filler), size) != 0) exit(2);
        fclose(filler);
        dafl_distillation_options options = small_options();
        options.checkpoint = file;
        options.checkpoint_steps = 1;
        dafl_distillation *distillation = NULL, *loaded = NULL;
        dafl_status status = dafl_distillation_create(&teacher, &options, &distillation);
        scenarios++;
        CHECK(status == DAFL_OK || status == DAFL_ERROR_IO, "%d %s", status, dafl_last_error());
        printf("    room for %d KB: begins: %s", 16 * room, dafl_status_name(status));
        if (!status) {
            MUST(dafl_distillation_run(distillation, NULL, NULL));
            CHECK(small_sum(distillation) == wanted, "on a disk that is full");
            dafl_distillation_destroy(distillation);
            MUST(dafl_distillation_load(file, &teacher, NULL, &loaded));
            dafl_progress progress = {.struct_size = sizeof progress};
            MUST(dafl_distillation_progress(loaded, &progress));
            printf(", the file is of step %d", (int)progress.step);
            MUST(dafl_distillation_run(loaded, NULL, NULL));
            CHECK(small_sum(loaded) == wanted, "gone on from a disk that is full");
            dafl_distillation_destroy(loaded);
        }
        printf("\n");
        CHECK(entries(".") == 3 + !status, "something is left on the full disk");
        remove(file);
    }
    remove("filler");
}

int main(int count, char **arguments) {
    if (count < 2) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    teacher = small_teacher();
    dafl_distillation *distillation = stepped(0, "");
    MUST(dafl_distillation_run(distillation, NULL, NULL));
    wanted = small_sum(distillation);
    dafl_distillation_destroy(distillation);
    if (count > 2) {
        full_disk(arguments[1]);
        printf("%ld full disks, %d failures\n", scenarios, failures);
        return failures != 0;
    }
    if (chdir(arguments[1]) != 0) return 2;
    if (getenv("DAFL_LONG")) error_count = sizeof errors / sizeof *errors;
    explicit_saves();
    kills_in_every_call();
    failing_loads();
    beginnings(false);
    beginnings(true);
    automatic_saves(getenv("DAFL_LONG") ? 1 : 23);
    for (long bytes = 0; bytes < (long)after_size + 8192; bytes += getenv("DAFL_LONG") ? 512 : 8192)
        in_child("a limit to files", with_limit, bytes);
    for (long is_file = 0; is_file < 2; is_file++) in_child("read-only", read_only, is_file);
    free(before);
    free(after);
    printf("%ld scenarios, %ld failed calls, %d failures\n", scenarios, injected, failures);
    return failures != 0;
}
