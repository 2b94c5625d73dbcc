/* The system refuses memory from some moment of a distillation's life on - as it is created, runs, is saved, is loaded - in a process
 * that has so many kilobytes left: a status, the file that was there byte for byte, and, with memory again, the same student.
 * The arguments are an empty folder and the kilobytes to try. */
#define _GNU_SOURCE
#include "small_run.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef enum { CREATE, CREATE_WITH_CHECKPOINT, RUN, SAVE, SAVE_MEMORY, STUDENT, GENERATE, LOAD, LOAD_MEMORY, GO_ON, PHASES } phase;

static const char *const names[PHASES] = {"create", "create with a checkpoint", "run", "save", "save to memory",
                                          "student", "generate", "load", "load from memory", "go on"};

static dafl_teacher teacher;
static uint64_t wanted;
static unsigned char *before;
static size_t before_size;
static const char file[] = "run.dafl";

static dafl_distillation_options options_with(const char *checkpoint) {
    dafl_distillation_options options = small_options();
    options.batch_size = 256;
    options.replay_capacity = 50000; /* megabytes, so that something is refused */
    options.generator_width = 32;
    options.checkpoint = checkpoint;
    options.checkpoint_steps = 1;
    return options;
}

static size_t address_space(void) {
    size_t pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (!statm || fscanf(statm, "%zu", &pages) != 1) exit(2);
    fclose(statm);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void leave(long kilobytes) {
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = kilobytes < 0 ? limit.rlim_max : address_space() + (size_t)kilobytes * 1024;
    setrlimit(RLIMIT_AS, &limit);
}

/* In a child. */
static int live(phase refused, long kilobytes) {
    dafl_distillation_options options = options_with(refused == CREATE_WITH_CHECKPOINT || refused == RUN || refused == GO_ON ? file : "");
    dafl_distillation *distillation = NULL;
    bool had_file = refused != CREATE_WITH_CHECKPOINT && refused != RUN;
    if (!had_file) remove(file);
    bool makes = refused <= CREATE_WITH_CHECKPOINT || refused >= LOAD;
    if (!makes) {
        MUST(dafl_distillation_create(&teacher, &options, &distillation));
        for (int i = 0; i < 4; i++) MUST(dafl_distillation_step(distillation, NULL));
    }
    int64_t size = 0;
    void *memory = NULL;
    dafl_network *student = NULL;
    if (refused == SAVE_MEMORY) {
        MUST(dafl_distillation_save_memory(distillation, NULL, 0, &size));
        memory = malloc((size_t)size);
    }
    static float images[600 * SMALL_INPUTS], logits[600 * SMALL_CLASSES];
    leave(kilobytes);
    dafl_status status = DAFL_OK;
    switch (refused) {
    case CREATE: case CREATE_WITH_CHECKPOINT: case GO_ON: status = dafl_distillation_create(&teacher, &options, &distillation); break;
    case RUN: status = dafl_distillation_run(distillation, NULL, NULL); break;
    case SAVE: status = dafl_distillation_save(distillation, file); break;
    case SAVE_MEMORY: status = dafl_distillation_save_memory(distillation, memory, size, &size); break;
    case STUDENT: status = dafl_distillation_student(distillation, &student); break;
    case GENERATE: status = dafl_distillation_generate(distillation, 600, images, logits); break;
    case LOAD: status = dafl_distillation_load(file, &teacher, NULL, &distillation); break;
    case LOAD_MEMORY: status = dafl_distillation_load_memory(before, (int64_t)before_size, &teacher, NULL, &distillation); break;
    case PHASES: break;
    }
    leave(-1);
    CHECK(!status || status == DAFL_ERROR_OUT_OF_MEMORY, "%d %s", status, dafl_last_error());
    CHECK(!makes || !status == (distillation != NULL), "a handle with status %d", status);
    if (status && had_file) CHECK(small_same(file, before, before_size), "the file is another");
    if (makes && status) { /* and with memory again */
        if (refused == LOAD || refused == LOAD_MEMORY) MUST(dafl_distillation_load(file, &teacher, NULL, &distillation));
        else MUST(dafl_distillation_create(&teacher, &options, &distillation));
    }
    dafl_network_destroy(student);
    free(memory);
    MUST(dafl_distillation_run(distillation, NULL, NULL));
    CHECK(small_sum(distillation) == wanted, "another student");
    dafl_distillation_destroy(distillation);
    fflush(stdout);
    return failures ? 1 : status ? 100 : 0;
}

int main(int count, char **arguments) {
    if (count < 3 || chdir(arguments[1]) != 0) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    teacher = small_teacher();
    dafl_distillation *distillation = NULL;
    dafl_distillation_options options = options_with("");
    MUST(dafl_distillation_create(&teacher, &options, &distillation));
    for (int i = 0; i < 4; i++) MUST(dafl_distillation_step(distillation, NULL));
    MUST(dafl_distillation_save(distillation, file));
    before = small_bytes(file, &before_size);
    MUST(dafl_distillation_run(distillation, NULL, NULL));
    wanted = small_sum(distillation);
    dafl_distillation_destroy(distillation);
    int tried = 0, refused = 0;
    for (phase now = 0; now < PHASES; now++) {
        for (int i = 2; i < count; i++) {
            FILE *out = fopen(file, "wb");
            if (!out || fwrite(before, 1, before_size, out) != before_size || fclose(out) != 0) return 2;
            fflush(stdout);
            pid_t child = fork();
            if (child == 0) {
                struct rlimit no_core = {0, 0};
                setrlimit(RLIMIT_CORE, &no_core);
                _exit(live(now, atol(arguments[i])));
            }
            int status = 0;
            waitpid(child, &status, 0);
            tried++;
            bool answered = WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 100);
            refused += answered && WEXITSTATUS(status) == 100;
            CHECK(answered, "%s with %s KB: it %s %d", names[now], arguments[i], WIFSIGNALED(status) ? "was ended by signal" : "answered",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        }
    }
    free(before);
    remove(file);
    printf("%d tried, %d refused, %d failures\n", tried, refused, failures);
    return failures != 0 || refused == 0;
}
