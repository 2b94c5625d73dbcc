/* Checkpoints: what comes back from files and memory is the run that was saved, and what is none is refused. */
#include "check.h"
#include "fixtures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "build/tests/run.dafl";

static void expect_same_end(dafl_distillation *a, dafl_distillation *b) {
    dafl_network *of_a = NULL, *of_b = NULL;
    WORKS(dafl_distillation_run(a, NULL, NULL));
    WORKS(dafl_distillation_run(b, NULL, NULL));
    WORKS(dafl_distillation_student(a, &of_a));
    WORKS(dafl_distillation_student(b, &of_b));
    CHECK(same_network(of_a, of_b));
    dafl_network_destroy(of_a);
    dafl_network_destroy(of_b);
}

static void test_both_ways(const dafl_teacher *teacher) {
    dafl_distillation_options options = small_options();
    dafl_distillation *run = NULL, *from_file = NULL, *from_memory = NULL;
    int64_t size = 0, again = 0;
    WORKS(dafl_distillation_create(teacher, &options, &run));
    WORKS(dafl_distillation_step(run, NULL));
    WORKS(dafl_distillation_save(run, path));
    WORKS(dafl_distillation_save_memory(run, NULL, 0, &size));
    char *data = malloc((size_t)size);
    CHECK(size > 1000 && data != NULL);
    if (!data) return;
    REFUSES("capacity", "999", dafl_distillation_save_memory(run, data, 999, &again));
    CHECK(again == size);
    WORKS(dafl_distillation_save_memory(run, data, size, &again));

    WORKS(dafl_distillation_load(path, teacher, &options, &from_file));
    WORKS(dafl_distillation_load_memory(data, size, teacher, NULL, &from_memory));
    expect_same_end(run, from_file);
    expect_same_end(run, from_memory);
    dafl_distillation_destroy(from_memory);

    data[size - 20] ^= 1;
    EXPECT(DAFL_ERROR_FORMAT, dafl_distillation_load_memory(data, size, teacher, NULL, &from_memory));
    CHECK(from_memory == NULL);
    for (int64_t length = 1; length < size; length += size / 40) {
        EXPECT(DAFL_ERROR_FORMAT, dafl_distillation_load_memory(data, length, teacher, NULL, &from_memory));
    }
    free(data);
    dafl_distillation_destroy(from_file);
    dafl_distillation_destroy(run);
}

static void test_null(const dafl_teacher *teacher) {
    dafl_distillation_options options = small_options();
    dafl_distillation *run = NULL, *made = NULL;
    int64_t size = 0;
    char byte = 0;
    WORKS(dafl_distillation_create(teacher, &options, &run));
    REFUSES("distillation", "NULL", dafl_distillation_save(NULL, path));
    REFUSES("path", "NULL", dafl_distillation_save(run, NULL));
    EXPECT(DAFL_ERROR_IO, dafl_distillation_save(run, "build/tests/none/run.dafl"));
    EXPECT(DAFL_ERROR_IO, dafl_distillation_save(run, "build/tests"));
    REFUSES("distillation", "NULL", dafl_distillation_save_memory(NULL, &byte, 1, &size));
    REFUSES("size", "NULL", dafl_distillation_save_memory(run, NULL, 0, NULL));
    REFUSES("capacity", "1", dafl_distillation_save_memory(run, NULL, 1, &size));
    REFUSES("capacity", "-1", dafl_distillation_save_memory(run, &byte, -1, &size));
    REFUSES("path", "NULL", dafl_distillation_load(NULL, teacher, &options, &made));
    REFUSES("teacher", "NULL", dafl_distillation_load(path, NULL, &options, &made));
    REFUSES("out", "NULL", dafl_distillation_load(path, teacher, &options, NULL));
    EXPECT(DAFL_ERROR_IO, dafl_distillation_load("build/tests/none.dafl", teacher, &options, &made));
    REFUSES("data", "NULL", dafl_distillation_load_memory(NULL, 1, teacher, &options, &made));
    REFUSES("size", "0", dafl_distillation_load_memory(&byte, 0, teacher, &options, &made));
    EXPECT(DAFL_ERROR_FORMAT, dafl_distillation_load_memory(&byte, 1, teacher, &options, &made));
    CHECK(made == NULL);
    dafl_distillation_destroy(run);
}

static int save_within(void *run, const dafl_progress *progress) {
    (void)progress;
    WORKS(dafl_distillation_save(run, path));
    return 0;
}

static void save_within_forward(void *run) { EXPECT(DAFL_ERROR_BUSY, dafl_distillation_save(run, path)); }

static void test_within_callbacks(test_teacher *state, const dafl_teacher *teacher) {
    dafl_distillation_options options = small_options();
    dafl_distillation *run = NULL, *loaded = NULL;
    dafl_progress progress = {.struct_size = sizeof progress};
    WORKS(dafl_distillation_create(teacher, &options, &run));
    state->during_forward = save_within_forward;
    state->during_forward_data = run;
    WORKS(dafl_distillation_run(run, save_within, run));
    state->during_forward = NULL;
    WORKS(dafl_distillation_load(path, teacher, NULL, &loaded));
    WORKS(dafl_distillation_progress(loaded, &progress));
    CHECK(progress.step == options.steps);
    dafl_distillation_destroy(loaded);
    dafl_distillation_destroy(run);
}

static void count_lines(void *lines, int level, const char *text) {
    (void)text;
    *(int *)lines += level == 2;
}

/* A run that saves itself, is given up, and goes on by itself; and one whose file can no longer be written. */
static void test_automatic(const dafl_teacher *teacher) {
    dafl_distillation_options options = small_options();
    dafl_distillation *whole = NULL, *run = NULL;
    dafl_progress progress = {.struct_size = sizeof progress};
    int warnings = 0;
    WORKS(dafl_distillation_create(teacher, &options, &whole));
    remove(path);
    options.checkpoint = path;
    options.checkpoint_steps = 1;
    options.log = count_lines;
    options.log_user_data = &warnings;
    WORKS(dafl_distillation_create(teacher, &options, &run));
    WORKS(dafl_distillation_step(run, NULL));
    dafl_distillation_destroy(run);
    WORKS(dafl_distillation_create(teacher, &options, &run));
    WORKS(dafl_distillation_progress(run, &progress));
    CHECK(progress.step == 1);
    expect_same_end(whole, run);
    dafl_distillation_destroy(run);

    options.seed++;
    REFUSES("seed", "", dafl_distillation_create(teacher, &options, &run));
    options.checkpoint = "build/tests/none/run.dafl";
    EXPECT(DAFL_ERROR_IO, dafl_distillation_create(teacher, &options, &run));
    CHECK(run == NULL);

    remove(path);
    options.checkpoint = path;
    warnings = 0;
    WORKS(dafl_distillation_create(teacher, &options, &run));
    int before = warnings;
    remove(path);
    CHECK(system("mkdir build/tests/run.dafl") == 0);
    WORKS(dafl_distillation_step(run, NULL));
    CHECK(warnings == before + 1);
    CHECK(system("rmdir build/tests/run.dafl") == 0);
    WORKS(dafl_distillation_step(run, NULL));
    CHECK(warnings == before + 1 && remove(path) == 0);
    dafl_distillation_destroy(run);
    dafl_distillation_destroy(whole);
}

/* A network as the teacher: it has all that callbacks would say, which must not be said. */
static void test_network_as_teacher(const dafl_teacher *callbacks) {
    dafl_network *network = make_network("mlp-64-8-4", 1);
    dafl_distillation_options options = small_options();
    dafl_distillation *made = NULL;
    dafl_teacher teacher;
    WORKS(dafl_teacher_init(&teacher, sizeof teacher));
    teacher.network = network;
    test_both_ways(&teacher);
    teacher.forward = callbacks->forward;
    REFUSES("forward", "", dafl_distillation_create(&teacher, &options, &made));
    dafl_network_destroy(network);
}

void test_checkpoint(void) {
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, true);
    test_both_ways(&teacher);
    test_null(&teacher);
    test_within_callbacks(&state, &teacher);
    test_automatic(&teacher);
    test_network_as_teacher(&teacher);
    remove(path);
}
