/* Kills a run with checkpoints (SIGKILL) at random moments and while it writes one, so many times, and each time goes on. The file
 * always loads and is never of an earlier step than before; in the end the student has the bytes of one that was never stopped,
 * and nothing else is left in the folder.
 *
 *     killed_run FOLDER KILLS [SEED]       FOLDER is empty */
#define _GNU_SOURCE
#include "small_run.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STEPS = 45 };

static dafl_network *teacher_network(void) {
    dafl_network *teacher = NULL;
    MUST(dafl_network_create("mlp-256-32-10", 3, &teacher));
    return teacher;
}

/* So that a write takes about as long as a step does. */
static dafl_distillation_options options_for(const char *checkpoint) {
    dafl_distillation_options options;
    MUST(dafl_distillation_options_init(&options, sizeof options));
    options.student = "mlp-256-16-10";
    options.threads = 1;
    options.steps = STEPS;
    options.batch_size = 512;
    options.student_steps = 2;
    options.replay_capacity = 1 << 17;
    options.generator_width = 8;
    options.restart_steps = 7;
    options.checkpoint = checkpoint;
    options.checkpoint_steps = 1;
    return options;
}

/* The child: runs, or goes on, to the end. */
static int run(const char *checkpoint, const char *student_path) {
    dafl_distillation *distillation = NULL;
    dafl_network *student = NULL;
    dafl_distillation_options options = options_for(checkpoint);
    dafl_network *teacher = teacher_network();
    MUST(dafl_distillation_create_from_network(teacher, &options, &distillation));
    MUST(dafl_distillation_run(distillation, NULL, NULL));
    MUST(dafl_distillation_student(distillation, &student));
    MUST(dafl_network_save(student, student_path));
    dafl_network_destroy(student);
    dafl_distillation_destroy(distillation);
    dafl_network_destroy(teacher);
    return 0;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Whether the process has a file open in the folder: the checkpoint that it is writing. */
static bool is_writing(pid_t process, const char *folder) {
    char listing_path[64], link_path[PATH_MAX], target[PATH_MAX];
    snprintf(listing_path, sizeof listing_path, "/proc/%d/fd", (int)process);
    DIR *listing = opendir(listing_path);
    struct dirent *entry;
    bool found = false;
    while (listing && !found && (entry = readdir(listing))) {
        if (entry->d_name[0] == '.') continue;
        snprintf(link_path, sizeof link_path, "%s/%s", listing_path, entry->d_name);
        ssize_t length = readlink(link_path, target, sizeof target - 1);
        if (length <= 0) continue;
        target[length] = 0;
        char mode[4096] = "";
        found = strncmp(target, folder, strlen(folder)) == 0 && target[strlen(folder)] == '/';
        if (found) { /* going on reads one: that is no write */
            char info[PATH_MAX];
            snprintf(info, sizeof info, "/proc/%d/fdinfo/%s", (int)process, entry->d_name);
            FILE *file = fopen(info, "r");
            if (file) {
                size_t size = fread(mode, 1, sizeof mode - 1, file);
                mode[size] = 0;
                fclose(file);
            }
            char *flags = strstr(mode, "flags:");
            found = flags && strtol(flags + 6, NULL, 8) & 1;
        }
    }
    if (listing) closedir(listing);
    return found;
}

static int entries(const char *folder) {
    int count = 0;
    DIR *listing = opendir(folder);
    while (listing && readdir(listing)) count++;
    if (listing) closedir(listing);
    return count;
}

static pid_t start(const char *self, const char *checkpoint, const char *student) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(self, self, "run", checkpoint, student, (char *)NULL);
        _exit(127);
    }
    return child;
}

/* 0 while it runs; else 1 when it has come to its end well. */
static int ended(pid_t child, int flags) {
    int status = 0;
    if (waitpid(child, &status, flags) == 0) return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 1;
    printf("the run itself ended with status %x\n", status);
    exit(1);
}

int main(int count, char **arguments) {
    if (count < 3) return 2;
    if (strcmp(arguments[1], "run") == 0) return run(arguments[2], count > 3 ? arguments[3] : "");
    setvbuf(stdout, NULL, _IOLBF, 0);
    char self[PATH_MAX], root[PATH_MAX], folder[PATH_MAX + 8], checkpoint[PATH_MAX + 32], straight[PATH_MAX + 32], killed[PATH_MAX + 32];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0 || !realpath(arguments[1], root)) return 2;
    self[length] = 0;
    snprintf(folder, sizeof folder, "%s/run", root);
    snprintf(checkpoint, sizeof checkpoint, "%s/run/run.dafl", root);
    snprintf(straight, sizeof straight, "%s/straight.safetensors", root);
    snprintf(killed, sizeof killed, "%s/killed.safetensors", root);
    if (mkdir(folder, 0777) != 0) return 2;
    int wanted = atoi(arguments[2]);
    unsigned short random[3] = {1, 2, count > 3 ? (unsigned short)atoi(arguments[3]) : 3};

    double began = now();
    ended(start(self, "", straight), 0); /* never stopped, and without checkpoints */
    double whole = now() - began;

    dafl_network *teacher_of_run = teacher_network();
    dafl_teacher teacher;
    MUST(dafl_teacher_init(&teacher, sizeof teacher));
    teacher.network = teacher_of_run;
    int kills = 0, writing = 0, before_the_first = 0, runs = 0, left = 0, loaded = 0;
    int64_t step = -1;
    size_t largest = 0;
    for (;;) {
        pid_t child = start(self, checkpoint, killed);
        if (kills >= wanted) {
            ended(child, 0);
            break;
        }
        /* Every second one while it writes the n-th file from now, after a time that differs; the others at any time. */
        bool finished = false;
        if (kills % 2) {
            for (int writes = 1 + (int)(nrand48(random) % 4); writes > 0 && !finished; writes--) {
                while (!finished && is_writing(child, folder)) finished = ended(child, WNOHANG);
                while (!finished && !is_writing(child, folder)) finished = ended(child, WNOHANG);
            }
            double until = now() + (kills % 3 ? 0 : erand48(random) * 0.02);
            while (now() < until) continue;
        } else {
            double until = now() + erand48(random) * whole / 4;
            while (!finished && now() < until) {
                finished = ended(child, WNOHANG);
                usleep(200);
            }
        }
        if (finished) {
            /* Too fast: another run, of the same bytes. */
            runs++;
            remove(checkpoint);
            step = -1;
            continue;
        }
        /* Stopped first, to see what it is at. */
        kill(child, SIGSTOP);
        int status = 0;
        waitpid(child, &status, WUNTRACED);
        if (WIFEXITED(status)) {
            runs++;
            remove(checkpoint);
            step = -1;
            continue;
        }
        writing += is_writing(child, folder);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
        kills++;

        size_t size;
        free(small_bytes(checkpoint, &size));
        if (size > largest) largest = size;
        bool is_there = access(checkpoint, F_OK) == 0;
        left += entries(folder) - 2 - is_there;
        CHECK(is_there || step < 0, "after kill %d the file is gone", kills);
        if (!is_there) {
            before_the_first++;
            continue;
        }
        dafl_distillation *distillation = NULL;
        dafl_status answer = dafl_distillation_load(checkpoint, &teacher, NULL, &distillation);
        CHECK(!answer, "after kill %d the file does not load: %s", kills, dafl_last_error());
        if (answer) continue;
        loaded++;
        dafl_progress progress = {.struct_size = sizeof progress};
        MUST(dafl_distillation_progress(distillation, &progress));
        CHECK(progress.step >= step, "after kill %d: step %d, and %d before", kills, (int)progress.step, (int)step);
        step = progress.step;
        dafl_distillation_destroy(distillation);
    }
    size_t size;
    unsigned char *bytes = small_bytes(straight, &size);
    CHECK(bytes && small_same(killed, bytes, size), "another student than that of a run never stopped");
    free(bytes);
    CHECK(entries(folder) == 3, "%d files in the folder", entries(folder) - 2);
    dafl_network_destroy(teacher_of_run);
    remove(checkpoint);
    remove(straight);
    remove(killed);
    rmdir(folder);
    printf("%d kills, %d while a file of up to %.1f MB was written, %d before the first; %d files loaded, %d left and cleared, "
           "%d runs came to their end before; %d failures\n",
           kills, writing, (double)largest / 1e6, before_the_first, loaded, left, runs, failures);
    return failures != 0;
}
