/*
 * Distils the network of a file into one of half its width, without a single training image.
 *
 *     ./distil_network teacher.onnx student.onnx [steps]
 *
 * Either file may be one of safetensors too.
 */
#include <dafl.h>
#include <stdio.h>
#include <stdlib.h>

/* Every fallible call answers a status; dafl_last_error tells in words what went wrong. */
static void check(dafl_status status) {
    if (status != DAFL_OK) {
        fprintf(stderr, "%s: %s\n", dafl_status_name(status), dafl_last_error());
        exit(1);
    }
}

static int show(void *user_data, const dafl_progress *progress) {
    (void)user_data;
    if (progress->step % 50 == 0 || progress->step == progress->steps) {
        printf("step %lld of %lld, distillation loss %.4f, agreement %.1f %%, %.0f s left\n",
               (long long)progress->step, (long long)progress->steps, progress->distillation_loss,
               100 * progress->agreement, progress->seconds_left);
        fflush(stdout);
    }
    return 0; /* anything else would stop the run */
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s teacher.onnx student.onnx [steps]\n", argv[0]);
        return 2;
    }

    dafl_network *teacher = NULL;
    check(dafl_network_load(argv[1], &teacher));

    dafl_distillation_options options;
    check(dafl_distillation_options_init(&options, sizeof options));
    options.student = "half"; /* or "width=0.25,depth=0.5", or a name such as "resnet8" */
    if (argc > 3) options.steps = atoll(argv[3]);

    dafl_distillation *distillation = NULL;
    check(dafl_distillation_create_from_network(teacher, &options, &distillation));
    check(dafl_distillation_run(distillation, show, NULL));

    dafl_network *student = NULL;
    check(dafl_distillation_student(distillation, &student));
    check(dafl_network_save(student, argv[2]));

    dafl_network_info before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
    check(dafl_network_describe(teacher, &before));
    check(dafl_network_describe(student, &after));
    printf("%lld parameters -> %lld, in %s\n", (long long)before.parameters, (long long)after.parameters, argv[2]);

    dafl_network_destroy(student);
    dafl_distillation_destroy(distillation);
    dafl_network_destroy(teacher);
    return 0;
}
