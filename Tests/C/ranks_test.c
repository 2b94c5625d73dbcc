/* Ranks of one distillation, each on a thread, with a barrier and a sum for an engine. */
#include "check.h"
#include "fixtures.h"

#include <pthread.h>
#include <string.h>

enum { RANKS = 3, MOST_FLOATS = 1 << 16 };

/* Sums in the order of the ranks, so that all have the same bytes each time. */
typedef struct {
    pthread_barrier_t barrier;
    float given[RANKS][MOST_FLOATS];
} meeting;

typedef struct {
    meeting *meeting;
    int rank;
    int calls, failing_call;
    test_teacher state;
    dafl_distillation *distillation;
    int own_failures, others_failures;
} member;

static int all_reduce(void *user_data, float *sum, int64_t count) {
    member *self = user_data;
    CHECK(count <= MOST_FLOATS);
    memcpy(self->meeting->given[self->rank], sum, count * sizeof *sum);
    pthread_barrier_wait(&self->meeting->barrier);
    memset(sum, 0, count * sizeof *sum);
    for (int rank = 0; rank < RANKS; rank++)
        for (int64_t i = 0; i < count; i++) sum[i] += self->meeting->given[rank][i];
    pthread_barrier_wait(&self->meeting->barrier);
    return 0;
}

static void fail_now_and_then(void *user_data) {
    member *self = user_data;
    self->state.answer = ++self->calls == self->failing_call ? 5 : 0;
}

/* A run that goes on after each failure, its own or another's. */
static void *run_until_done(void *user_data) {
    member *self = user_data;
    dafl_status status;
    while ((status = dafl_distillation_run(self->distillation, NULL, NULL)) != DAFL_OK) {
        self->own_failures += status == 5;
        self->others_failures += status == DAFL_ERROR_RANK;
        if (status != 5 && status != DAFL_ERROR_RANK) break;
    }
    CHECK(status == DAFL_OK);
    return NULL;
}

static meeting shared;

/* The student of all; NULL after a failed check. */
static dafl_network *distil(const char *generators, int failing_call) {
    dafl_network *students[RANKS] = {NULL};
    static member members[RANKS];
    pthread_t threads[RANKS];
    WORKS(pthread_barrier_init(&shared.barrier, NULL, RANKS));
    for (int rank = 0; rank < RANKS; rank++) {
        member *self = &members[rank];
        *self = (member){.meeting = &shared, .rank = rank};
        dafl_distillation_options options = small_options();
        options.steps = 12;
        options.rank = rank;
        options.ranks = RANKS;
        options.generators = generators;
        options.all_reduce = all_reduce;
        options.all_reduce_user_data = self;
        dafl_teacher teacher = make_teacher(&self->state, true);
        self->state.during_forward = fail_now_and_then;
        self->state.during_forward_data = self;
        WORKS(dafl_distillation_create(&teacher, &options, &self->distillation));
        /* After what creating it asked. */
        if (failing_call > 0 && rank > 0) self->failing_call = self->calls + rank * failing_call;
    }
    for (int rank = 0; rank < RANKS; rank++) pthread_create(&threads[rank], NULL, run_until_done, &members[rank]);
    for (int rank = 0; rank < RANKS; rank++) pthread_join(threads[rank], NULL);
    int own = 0;
    for (int rank = 0; rank < RANKS; rank++) {
        own += members[rank].own_failures;
        WORKS(dafl_distillation_student(members[rank].distillation, &students[rank]));
        CHECK(same_network(students[0], students[rank]));
    }
    CHECK(own == (failing_call > 0 ? RANKS - 1 : 0));
    CHECK((members[0].others_failures > 0) == (own > 0)); /* two in one step are one to the others */
    for (int rank = 0; rank < RANKS; rank++) {
        if (rank > 0) dafl_network_destroy(students[rank]);
        dafl_distillation_destroy(members[rank].distillation);
    }
    pthread_barrier_destroy(&shared.barrier);
    return students[0];
}

static int lost(void *user_data, float *sum, int64_t count) {
    (void)sum, (void)count;
    ++*(int *)user_data;
    return 77;
}

/* A sum that fails is that rank's own status; to tell the others is for its engine. */
static void test_failing_sum(void) {
    dafl_distillation_options options = small_options();
    dafl_distillation *distillation = NULL;
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, false);
    int sums = 0;
    options.all_reduce = lost;
    options.all_reduce_user_data = &sums;
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    WORKS(dafl_distillation_step(distillation, NULL));
    CHECK(sums == 0); /* one rank has nobody to sum with */
    dafl_distillation_destroy(distillation);
    options.ranks = 2;
    WORKS(dafl_distillation_create(&teacher, &options, &distillation));
    EXPECT(77, dafl_distillation_step(distillation, NULL));
    /* What the others did is not known, and the engine that failed is not asked again. */
    EXPECT(DAFL_ERROR_RANK, dafl_distillation_step(distillation, NULL));
    CHECK(sums == 1);
    dafl_distillation_destroy(distillation);
}

void test_ranks(void) {
    const char *kinds[] = {"own", "shared"};
    for (int kind = 0; kind < 2; kind++) {
        dafl_network *student = distil(kinds[kind], 0);
        for (int failing_call = 1; failing_call < 20; failing_call += 6) {
            dafl_network *other = distil(kinds[kind], failing_call);
            CHECK(same_network(student, other));
            dafl_network_destroy(other);
        }
        dafl_network_destroy(student);
    }
    test_failing_sum();

    dafl_distillation_options options = small_options();
    dafl_distillation *distillation = NULL;
    test_teacher state;
    dafl_teacher teacher = make_teacher(&state, false);
    options.ranks = 2;
    REFUSES("all_reduce", "NULL", dafl_distillation_create(&teacher, &options, &distillation));
    options.all_reduce = all_reduce;
    options.rank = 2;
    REFUSES("rank", "2", dafl_distillation_create(&teacher, &options, &distillation));
}
