/*
 * Distils the network of a file into one of half its width in several processes together, by MPI.
 *
 *     make distil_mpi
 *     mpirun -n 4 ./distil_mpi teacher.onnx student.onnx [steps]     (LD_LIBRARY_PATH for a library that is not installed)
 *
 * Each process makes images of its own and learns from them; once a student step the gradients are summed over all.
 */
#include <dafl.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

/* What went wrong on this rank. Where it is another rank that failed, that one says why. */
static void check(dafl_status status) {
    if (status == DAFL_ERROR_RANK) {
        MPI_Finalize(); /* once that rank is at its end too */
        exit(1);
    }
    if (status != DAFL_OK) {
        fprintf(stderr, "%s: %s\n", dafl_status_name(status), dafl_last_error());
        MPI_Abort(MPI_COMM_WORLD, 1); /* else the others would wait */
    }
}

/* Of a communicator whose errors are returned; 0 for success, as the library has it. */
static int all_reduce(void *user_data, float *sum, int64_t count) {
    return MPI_Allreduce(MPI_IN_PLACE, sum, (int)count, MPI_FLOAT, MPI_SUM, *(MPI_Comm *)user_data) != MPI_SUCCESS;
}

static int show(void *user_data, const dafl_progress *progress) {
    const int *rank = user_data;
    if (*rank == 0 && (progress->step % 50 == 0 || progress->step == progress->steps)) {
        printf("step %lld of %lld, distillation loss %.4f, agreement %.1f %%\n", (long long)progress->step,
               (long long)progress->steps, progress->distillation_loss, 100 * progress->agreement);
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm world;
    MPI_Comm_dup(MPI_COMM_WORLD, &world); /* so that no other message of the program comes in between */
    MPI_Comm_set_errhandler(world, MPI_ERRORS_RETURN);
    int rank, ranks;
    MPI_Comm_rank(world, &rank);
    MPI_Comm_size(world, &ranks);
    if (argc < 3) {
        if (rank == 0) fprintf(stderr, "usage: %s teacher.onnx student.onnx [steps]\n", argv[0]);
        MPI_Finalize();
        return 2;
    }

    dafl_network *teacher = NULL;
    check(dafl_network_load(argv[1], &teacher));

    dafl_distillation_options options;
    check(dafl_distillation_options_init(&options, sizeof options));
    options.student = "half";
    if (argc > 3) options.steps = atoll(argv[3]);
    options.threads = 1; /* as many processes as there are cores */
    options.rank = rank;
    options.ranks = ranks;
    options.all_reduce = all_reduce;
    options.all_reduce_user_data = &world;

    dafl_distillation *distillation = NULL;
    check(dafl_distillation_create_from_network(teacher, &options, &distillation));
    check(dafl_distillation_run(distillation, show, &rank));

    /* Every rank has the same student; one of them writes it. */
    dafl_network *student = NULL;
    check(dafl_distillation_student(distillation, &student));
    if (rank == 0) check(dafl_network_save(student, argv[2]));

    dafl_network_destroy(student);
    dafl_distillation_destroy(distillation);
    dafl_network_destroy(teacher);
    MPI_Comm_free(&world);
    MPI_Finalize();
    return 0;
}
