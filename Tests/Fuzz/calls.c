/*
 * Calls functions of the library at random, with arguments that are right and wrong, from one thread and from within callbacks:
 *
 *     calls SEED CALLS
 *
 * Whatever comes, the answer must be a documented one: no crash, no hang, nothing written to a file that was not named, nothing
 * printed. What C cannot check is respected: handles and pointers are live or NULL, and arrays as long as their counts say.
 * With TRACE set, the calls are told on standard error, and then nobody looks whether the library printed.
 */
#include <dafl.h>

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#endif

#define LENGTH(array) (sizeof(array) / sizeof *(array))

enum { NETWORKS = 6, RUNS = 3, STRUCT_ROOM = 1 << 17, FLOATS = 1 << 16, DEEPEST = 2 };

static uint64_t state;
static long calls_done;
static const char *current = "";
static int depth, screen;
static bool is_traced;
static double longest;
static const char *longest_call = "";
static char folder[64];
/* Results are counted by status from -10 to 0; the last is what callbacks returned. */
static long answers[12];

/* ----------------------------------------------------------------------------------------------------------- chance */

static uint64_t next(void) {
    state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = state;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}
static unsigned below(unsigned count) { return (unsigned)(next() >> 33) % count; }
static bool one_in(unsigned count) { return below(count) == 0; }

static void fail(const char *what) {
    dprintf(screen, "calls: %s, in %s, after %ld calls\n%s\n", what, current, calls_done, dafl_last_error());
    _exit(1);
}
static void require(bool holds, const char *what) {
    if (!holds) fail(what);
}

static const int64_t odd_wholes[] = {-1, 0, INT64_MIN, INT64_MAX, INT64_C(1) << 61, -(INT64_C(1) << 32), INT64_C(1) << 62,
    (INT64_C(1) << 62) + 1};
static int64_t odd_whole(void) { return odd_wholes[below(LENGTH(odd_wholes))]; }
/* A number of rows, which are there; or one that no address space holds. */
static int64_t rows(int most) { return one_in(8) ? odd_whole() : 1 + (int64_t)below((unsigned)most); }

static const double odd_reals[] = {NAN, INFINITY, -INFINITY, -1, 0, 1e300, -1e300, 1e-320, 2, 0.5, 1e6, 1000001};
static double odd_real(void) { return odd_reals[below(LENGTH(odd_reals))]; }

static char long_text[100001];
static const char *const odd_texts[] = {NULL, "", " ", "\xff\xfe\x80", "lenet", "mlp-", "mlp--1-2", "mlp-4-3-2(", "mlp-4-3-2(units=0)", "%s%n",
    "mlp-4-99999999999999999999-2", "{", "[]", "{\"input\":[4]}", "{\"input\":[4],\"nodes\":[]}", "\xe2\x80\xae", "half", "small", "width=0",
    "depth=nan", "auto", "mlp-2147483648-2147483648", "{\"input\":[0],\"nodes\":[{\"kind\":\"relu\"}]}", long_text};
static const char *odd_text(void) { return odd_texts[below(LENGTH(odd_texts))]; }

/* Of 4 numbers, or 2 x 2 pictures, most of them. */
#define PICTURE_NET                                                                                                   \
    "{\"input\":[1,2,2],\"feature\":\"f\",\"nodes\":[{\"kind\":\"convolution\",\"outputs\":2,\"kernel\":2,\"padding\":1},"    \
    "{\"kind\":\"batch_norm\"},{\"kind\":\"relu\"},{\"kind\":\"global_average_pool\",\"name\":\"f\"},"                   \
    "{\"kind\":\"linear\",\"outputs\":2}]}"
#define DROPOUT_NET                                                                                                   \
    "{\"input\":[1,2,2],\"nodes\":[{\"kind\":\"dropout\"},{\"kind\":\"flatten\"},{\"kind\":\"linear\",\"outputs\":2},"   \
    "{\"kind\":\"softmax\"}]}"
static const char *const architectures[] = {"mlp-4-3-2", "mlp-4-2", "mlp-4-1", "mlp-4-3-2(units=1)", "mlp-4-8-8-2", "mlp-3-2",
    "dafl-vector-generator(latent=3,outputs=4,width=8)", "{\"input\":[4],\"nodes\":[{\"kind\":\"relu\"}]}", PICTURE_NET, DROPOUT_NET,
    "{\"input\":[4],\"nodes\":[{\"kind\":\"log\"},{\"kind\":\"linear\",\"outputs\":2,\"bias\":false}]}"};
static const char *architecture(void) { return one_in(6) ? odd_text() : architectures[below(LENGTH(architectures))]; }

static const char *const file_names[] = {"a.safetensors", "b.onnx", "c.dafl", "d", "e.json", "f.ONNX", "none", "folder", "no/file", "link.onnx"};
static const char *path(void) {
    static char paths[4][256];
    static int turn;
    if (one_in(10)) {
        const char *const others[] = {NULL, "", "/", "/dev/null", "/proc/self/nothing", "\xff", "/dev/shm", long_text};
        return others[below(LENGTH(others))];
    }
    char *text = paths[turn++ % 4];
    snprintf(text, sizeof paths[0], "%s/%s", folder, file_names[below(LENGTH(file_names))]);
    return text;
}
/* One that can be written; the others are there for reading. */
static const char *path_to_write(void) {
    const char *text = path();
    return text && (!strcmp(text, "/dev/null") || !strncmp(text, "/proc", 5)) ? NULL : text;
}

static float numbers[FLOATS], results[FLOATS];
static int64_t labels[64];
static void fill_numbers(void) {
    for (int i = 0; i < 512; i++) numbers[i] = (float)(int64_t)next() / (float)INT64_MAX * 2;
    for (size_t i = 0; i < LENGTH(labels); i++) labels[i] = below(2);
    if (one_in(6)) numbers[below(64)] = one_in(2) ? NAN : INFINITY;
    if (one_in(10)) labels[below(8)] = odd_whole();
}
/* What a run borrows, which must stay as it is as long as the run; the second of each is bad. */
static float kept_numbers[2][64], kept_ones[64];
static int64_t kept_labels[2][8];
static void fill_kept(void) {
    for (int i = 0; i < 64; i++) {
        kept_ones[i] = 1;
        kept_numbers[0][i] = kept_numbers[1][i] = (float)(i % 7) / 3 - 1;
    }
    kept_numbers[1][5] = NAN;
    for (int i = 0; i < 8; i++) kept_labels[0][i] = kept_labels[1][i] = i % 2;
    kept_labels[1][7] = INT64_MAX;
}
static float *some_kept(void) { return one_in(12) ? NULL : kept_numbers[one_in(12)]; }
static float *some_numbers(void) { return one_in(12) ? NULL : numbers; }
static float *some_results(void) { return one_in(12) ? NULL : results; }

/* A struct in the middle of room for any size that it may claim. */
static void *room(void) {
    static _Alignas(16) unsigned char rooms[4][STRUCT_ROOM];
    static int turn;
    unsigned char *chosen = rooms[turn++ % 4];
    memset(chosen, 0, 4096);
    return chosen;
}
static size_t struct_size(size_t right) {
    const size_t odd[] = {0, 1, 7, 8, right - 1, right - 8, right + 1, right + 8, 4096, 65536, 65537, SIZE_MAX, SIZE_MAX / 2 + 1};
    return one_in(8) ? odd[below(LENGTH(odd))] : right;
}
static void *sized(size_t right) {
    if (one_in(16)) return NULL;
    size_t *chosen = room();
    *chosen = struct_size(right);
    if (one_in(32)) memset(chosen + 1, 0xA5, 2048); /* only to be filled */
    return chosen;
}

/* ---------------------------------------------------------------------------------------------------------- handles */

static dafl_network *networks[NETWORKS];
static dafl_distillation *runs[RUNS];
/* How many calls of ours, one within another, are at work on it. */
static int network_users[NETWORKS], run_users[RUNS];

static int some_network(void) { return one_in(24) ? -1 : (int)below(NETWORKS); }
static dafl_network *network_at(int place) { return place < 0 ? NULL : networks[place]; }
static int some_run(void) { return one_in(24) ? -1 : (int)below(RUNS); }
static dafl_distillation *run_at(int place) { return place < 0 ? NULL : runs[place]; }

static void keep_network(dafl_network *network) {
    if (!network) return;
    dafl_network_set_threads(network, 1 + (int64_t)one_in(50));
    int place = (int)below(NETWORKS);
    if (network_users[place]) {
        dafl_network_destroy(network);
        return;
    }
    dafl_network_destroy(networks[place]);
    networks[place] = network;
}
static void keep_run(dafl_distillation *run) {
    if (!run) return;
    int place = (int)below(RUNS);
    if (run_users[place]) {
        dafl_distillation_destroy(run);
        return;
    }
    dafl_distillation_destroy(runs[place]);
    runs[place] = run;
}

/* Numbers of one input and one output; inputs are at most 4 here, or what a file of these has. */
static int64_t width(dafl_network *network) {
    dafl_network_info info = {.struct_size = sizeof info};
    if (!network || dafl_network_describe(network, &info)) return 16;
    int64_t inputs = info.input_shape[0] * info.input_shape[1] * info.input_shape[2];
    return inputs > info.outputs ? inputs : info.outputs;
}

/* --------------------------------------------------------------------------------------------------------- callbacks */

static void call(void);
static long callbacks_left;

static int answer(void) {
    /* So that no training goes on for ever. */
    if (--callbacks_left < 0) return 77;
    if (depth <= DEEPEST && one_in(12)) {
        const char *outer = current;
        call();
        current = outer;
    }
    return one_in(60) ? (one_in(2) ? (int)below(1000) + 1 : -(int)below(12) - 1) : 0;
}
static int on_epoch(void *data, int64_t epoch, int64_t epochs, double loss) { return (void)data, (void)epoch, (void)epochs, (void)loss, answer(); }
static int on_progress(void *data, const dafl_progress *progress) {
    require(progress->struct_size == sizeof *progress, "progress has another size");
    return (void)data, answer();
}
static void on_log(void *data, int level, const char *text) {
    (void)data;
    require((level == DAFL_LOG_INFO || level == DAFL_LOG_WARNING) && text && *text, "a log line without text");
    answer();
}
static void spoil(float *values, int64_t count) {
    if (count > 0 && one_in(80)) values[below((unsigned)count)] = one_in(2) ? NAN : INFINITY;
}
/* user_data is the number of the teacher's features. */
static int forward(void *data, int64_t count, const float *images, float *logits, float *features_out) {
    int64_t features = (intptr_t)data;
    for (int64_t i = 0; i < count; i++) {
        logits[2 * i] = images[4 * i] + images[4 * i + 3], logits[2 * i + 1] = images[4 * i + 1] - images[4 * i + 2];
        for (int64_t j = 0; features_out && j < features; j++) features_out[features * i + j] = images[4 * i + j];
    }
    spoil(logits, 2 * count);
    if (features_out) spoil(features_out, features * count);
    return answer();
}
static int backward(void *data, int64_t count, const float *images, const float *by_logits, const float *by_features, float *gradient) {
    (void)images;
    int64_t features = (intptr_t)data;
    for (int64_t i = 0; i < count; i++) {
        float *g = gradient + 4 * i;
        g[0] = g[3] = by_logits[2 * i], g[1] = by_logits[2 * i + 1], g[2] = -g[1];
        for (int64_t j = 0; by_features && j < features; j++) g[j] += by_features[features * i + j];
    }
    spoil(gradient, 4 * count);
    return answer();
}
static int regularizer(void *data, int64_t count, const float *images, double *value, float *gradient) {
    (void)data;
    *value = 0;
    for (int64_t i = 0; i < 4 * count; i++) *value += images[i] * images[i] / 2 / (double)count, gradient[i] = images[i] / (float)count;
    spoil(gradient, 4 * count);
    return answer();
}

/* ---------------------------------------------------------------------------------------------------------- structs */

static dafl_load_options *load_options(void) {
    if (one_in(8)) return NULL;
    dafl_load_options *options = room();
    dafl_load_options_init(options, sizeof *options);
    if (one_in(3)) options->architecture = architecture();
    if (one_in(6)) options->feature = odd_text();
    if (one_in(6)) options->output = odd_text();
    if (one_in(6)) options->input_shape[below(3)] = one_in(2) ? odd_whole() : 2;
    options->struct_size = struct_size(sizeof *options);
    return options;
}

static dafl_train_options *train_options(void) {
    if (one_in(16)) return NULL;
    dafl_train_options *options = room();
    dafl_train_options_init(options, sizeof *options);
    const char *const optimizers[] = {"adam", "adamw", "sgd", "Adam"}, *const schedules[] = {"constant", "cosine", "step", "none"};
    options->epochs = one_in(8) ? odd_whole() : 1 + (int64_t)below(3);
    options->batch_size = one_in(8) ? odd_whole() : 1 + (int64_t)below(4);
    options->optimizer = one_in(12) ? odd_text() : optimizers[below(4)];
    options->schedule = one_in(12) ? odd_text() : schedules[below(4)];
    if (one_in(6)) options->learning_rate = odd_real();
    if (one_in(8)) options->weight_decay = odd_real();
    if (one_in(8)) options->momentum = odd_real();
    if (one_in(2)) options->on_epoch = on_epoch;
    options->on_step = on_epoch;
    options->struct_size = struct_size(sizeof *options);
    return options;
}

static dafl_teacher *some_teacher(void) {
    if (one_in(24)) return NULL;
    dafl_teacher *teacher = room();
    dafl_teacher_init(teacher, sizeof *teacher);
    int64_t features = below(3);
    teacher->user_data = (void *)(intptr_t)features;
    if (one_in(4)) {
        teacher->network = network_at(some_network());
        if (!one_in(12)) return teacher;
    }
    teacher->input_shape[0] = 1, teacher->input_shape[1] = teacher->input_shape[2] = 2;
    if (one_in(4)) teacher->input_shape[0] = 4, teacher->input_shape[1] = teacher->input_shape[2] = 1;
    if (one_in(24)) teacher->input_shape[below(3)] = odd_whole();
    teacher->classes = one_in(24) ? odd_whole() : 2;
    teacher->features = one_in(24) ? -1 - (int64_t)below(9) : features;
    teacher->forward = one_in(24) ? NULL : forward;
    teacher->backward = one_in(2) ? backward : NULL;
    teacher->regularizer = one_in(4) ? regularizer : NULL;
    teacher->answers = one_in(12) ? odd_whole() : (int64_t)below(4);
    teacher->struct_size = struct_size(sizeof *teacher);
    return teacher;
}

static dafl_distillation_options *run_options(void) {
    if (one_in(24)) return NULL;
    dafl_distillation_options *options = room();
    dafl_distillation_options_init(options, sizeof *options);
    if (one_in(4)) dafl_distillation_options_preset(options, one_in(8) ? odd_text() : one_in(2) ? "fast" : "paper");
    const char *const students[] = {"mlp-4-3-2", "mlp-4-2", "half", "small", "auto", "width=0.5,depth=0.5"};
    const char *const sources[] = {"auto", "generator", "procedural", "noise", "data", "metadata"};
    const char *const gradients[] = {"auto", "teacher", "student", "differences"};
    options->student = one_in(10) ? (one_in(2) ? path() : architecture()) : students[below(6)];
    options->seed = next();
    options->threads = one_in(20) ? odd_whole() : 1 + (int64_t)one_in(30);
    options->steps = 1 + below(3);
    options->batch_size = 2 + below(3);
    options->student_steps = below(3);
    options->replay_capacity = below(3) * 4;
    options->generator_width = 2 + below(2);
    options->latent_size = 1 + below(3);
    options->image_source = sources[below(6)];
    options->gradients = gradients[below(4)];
    options->restart_steps = below(3);
    options->metadata_steps = 1 + below(2);
    options->image_count = options->metadata_groups = 0;
    if (!strcmp(options->image_source, "data") || one_in(20)) {
        options->images = some_kept();
        options->image_count = one_in(10) ? -1 : 1 + (int64_t)below(8);
        if (one_in(2)) options->labels = kept_labels[one_in(12)];
    }
    if (!strcmp(options->image_source, "metadata") || one_in(20)) {
        options->metadata_means = some_kept();
        options->metadata_deviations = one_in(12) ? NULL : kept_ones;
        options->metadata_groups = one_in(10) ? 0 : 1 + (int64_t)below(4);
    }
    if (one_in(6)) {
        options->input_mean = some_kept();
        options->input_deviation = one_in(4) ? NULL : kept_ones;
        options->input_count = one_in(8) ? odd_whole() : one_in(2) ? 1 : 4;
    }
    if (one_in(8)) options->input_low = 0, options->input_high = one_in(4) ? odd_real() : 255;
    if (one_in(2)) options->log = on_log;
    if (one_in(12)) options->student_network = network_at(some_network());
    if (one_in(8)) options->checkpoint = path_to_write(), options->checkpoint_steps = below(2);
    if (one_in(8)) options->max_teacher_queries = below(200);
    if (one_in(4)) { /* something out of its range */
        double *reals[] = {&options->one_hot_weight, &options->activation_weight, &options->entropy_weight, &options->regularizer_weight,
            &options->temperature, &options->generator_learning_rate, &options->student_learning_rate, &options->augmentation,
            &options->label_weight, &options->mimic_weight, &options->input_low, &options->checkpoint_seconds};
        int64_t *wholes[] = {&options->steps, &options->batch_size, &options->student_steps, &options->replay_capacity,
            &options->restart_steps, &options->generator_width, &options->latent_size, &options->difference_directions,
            &options->max_teacher_queries, &options->metadata_steps, &options->student_dropout, &options->patience, &options->checkpoint_steps};
        const char **texts[] = {&options->student, &options->instruction_set, &options->convolution, &options->generator,
            &options->student_schedule, &options->image_source, &options->gradients, &options->checkpoint};
        switch (below(3)) {
        case 0: *reals[below(LENGTH(reals))] = odd_real(); break;
        case 1: *wholes[below(LENGTH(wholes))] = odd_whole(); break;
        default: *texts[below(LENGTH(texts))] = odd_text(); break;
        }
    }
    options->struct_size = struct_size(sizeof *options);
    return options;
}

/* ------------------------------------------------------------------------------------------------------------ calls */

static uint8_t memory[1 << 20];
static int64_t memory_size;

/* Bytes that a library wrote, with some of them changed. */
static int64_t bytes_of_file(void) {
    const char *name = path();
    int file = name ? open(name, O_RDONLY | O_NONBLOCK) : -1;
    struct stat status;
    int64_t size = file >= 0 && fstat(file, &status) == 0 && S_ISREG(status.st_mode) ? read(file, memory, sizeof memory) : 0;
    if (file >= 0) close(file);
    if (size <= 0) size = 100;
    for (unsigned i = below(4); i > 1; i--) memory[below((unsigned)size)] = (uint8_t)next();
    return one_in(8) ? below((unsigned)size + 1) : size;
}

static const struct {
    const char *name;
    unsigned weight;
} functions[] = {{"version", 1}, {"status_name", 2}, {"last_error", 2}, {"network_create", 12}, {"network_load", 6}, {"network_load_as", 4},
    {"load_options_init", 4}, {"network_load_with", 6}, {"network_load_memory", 8}, {"network_save", 4}, {"network_save_onnx", 4},
    {"network_fold", 6}, {"network_describe", 8}, {"network_graph", 6}, {"network_tensor", 10}, {"network_tensor_named", 8},
    {"network_set_tensor", 10}, {"network_set_threads", 3}, {"network_predict", 12}, {"network_features", 8}, {"network_evaluate", 8},
    {"train_options_init", 4}, {"network_train", 8}, {"network_destroy", 2}, {"teacher_init", 4}, {"distillation_options_init", 4},
    {"distillation_options_preset", 4}, {"distillation_create", 5}, {"distillation_create_from_network", 3}, {"distillation_step", 5},
    {"distillation_run", 3}, {"distillation_progress", 8}, {"distillation_save", 1}, {"distillation_save_memory", 3}, {"distillation_load", 2},
    {"distillation_load_memory", 4}, {"distillation_cancel", 1}, {"distillation_generate", 4}, {"distillation_student", 4},
    {"distillation_generator", 4}, {"distillation_destroy", 1}};

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The status of one call on handles that are noted as in use, so that no callback destroys them. */
static dafl_status status_of(const char *name, int place, int run, int *made) {
    dafl_network *network = network_at(place), *new_network = NULL;
    dafl_distillation *distillation = run_at(run), *new_run = NULL;
    dafl_status status = 1 << 20;
    *made = -1;
#define IS(text) (!strcmp(name, text))
    if (IS("version")) {
        require(!strcmp(dafl_version(), DAFL_VERSION), "another version");
    } else if (IS("status_name")) {
        require(dafl_status_name((int)odd_whole()) && dafl_status_name(-(int)below(14)), "no name of a status");
    } else if (IS("last_error")) {
        require(dafl_last_error() != NULL, "no last error");
    } else if (IS("network_create")) {
        dafl_network **out = one_in(24) ? NULL : &new_network;
        status = dafl_network_create(architecture(), next(), out);
        *made = out && new_network;
    } else if (IS("network_load")) {
        status = dafl_network_load(path(), &new_network);
        *made = new_network != NULL;
    } else if (IS("network_load_as")) {
        status = dafl_network_load_as(path(), architecture(), &new_network);
        *made = new_network != NULL;
    } else if (IS("load_options_init")) {
        status = dafl_load_options_init(one_in(8) ? NULL : room(), struct_size(sizeof(dafl_load_options)));
    } else if (IS("network_load_with")) {
        status = dafl_network_load_with(path(), load_options(), &new_network);
        *made = new_network != NULL;
    } else if (IS("network_load_memory")) {
        int64_t size = bytes_of_file();
        status = dafl_network_load_memory(one_in(16) ? NULL : memory, one_in(16) ? -size : size, load_options(), &new_network);
        *made = new_network != NULL;
    } else if (IS("network_save")) {
        status = dafl_network_save(network, path_to_write());
    } else if (IS("network_save_onnx")) {
        status = dafl_network_save_onnx(network, path_to_write(), (int64_t)below(5) - 2);
    } else if (IS("network_fold")) {
        status = dafl_network_fold(network, one_in(16) ? NULL : &new_network);
        if (new_network || status) *made = new_network != NULL;
    } else if (IS("network_describe")) {
        status = dafl_network_describe(network, sized(sizeof(dafl_network_info)));
    } else if (IS("network_graph")) {
        const char *text = NULL;
        status = dafl_network_graph(network, one_in(16) ? NULL : &text);
        require(status || (text && *text == '{'), "no graph");
    } else if (IS("network_tensor")) {
        status = dafl_network_tensor(network, one_in(4) ? odd_whole() : (int64_t)below(6), sized(sizeof(dafl_tensor)));
    } else if (IS("network_tensor_named")) {
        status = dafl_network_tensor_named(network, one_in(3) ? odd_text() : "fc1.weight", sized(sizeof(dafl_tensor)));
    } else if (IS("network_set_tensor")) {
        const char *const names[] = {"fc1.weight", "fc1.bias", "fc2.weight", "linear_4.weight", "batch_norm_1.running_var"};
        const int64_t counts[] = {12, 3, 6, 8, 2, 0, -1, INT64_MAX};
        status = dafl_network_set_tensor(network, one_in(8) ? odd_text() : names[below(5)], some_numbers(), counts[below(8)]);
    } else if (IS("network_set_threads")) {
        status = dafl_network_set_threads(network, one_in(3) ? odd_whole() : 1);
    } else if (IS("network_predict")) {
        status = width(network) > 1024 ? DAFL_OK : dafl_network_predict(network, some_numbers(), rows(8), some_results());
    } else if (IS("network_features")) {
        status = width(network) > 1024 ? DAFL_OK : dafl_network_features(network, some_numbers(), rows(8), some_results());
    } else if (IS("network_evaluate")) {
        double share;
        status = dafl_network_evaluate(network, some_numbers(), one_in(12) ? NULL : labels, rows(8), one_in(12) ? NULL : &share);
    } else if (IS("train_options_init")) {
        status = dafl_train_options_init(one_in(8) ? NULL : room(), struct_size(sizeof(dafl_train_options)));
    } else if (IS("network_train")) {
        status = dafl_network_train(network, some_numbers(), one_in(12) ? NULL : labels, rows(8), train_options());
    } else if (IS("network_destroy")) {
        if (place >= 0 && network_users[place] > 1) return 1 << 20;
        dafl_network_destroy(network);
        if (place >= 0) networks[place] = NULL;
    } else if (IS("teacher_init")) {
        status = dafl_teacher_init(one_in(8) ? NULL : room(), struct_size(sizeof(dafl_teacher)));
    } else if (IS("distillation_options_init")) {
        status = dafl_distillation_options_init(one_in(8) ? NULL : room(), struct_size(sizeof(dafl_distillation_options)));
    } else if (IS("distillation_options_preset")) {
        status = dafl_distillation_options_preset(run_options(), one_in(3) ? odd_text() : "paper");
    } else if (IS("distillation_create")) {
        status = dafl_distillation_create(some_teacher(), run_options(), &new_run);
        *made = new_run != NULL;
    } else if (IS("distillation_create_from_network")) {
        status = dafl_distillation_create_from_network(network, run_options(), &new_run);
        *made = new_run != NULL;
    } else if (IS("distillation_step")) {
        status = dafl_distillation_step(distillation, sized(sizeof(dafl_progress)));
    } else if (IS("distillation_run")) {
        dafl_progress now = {.struct_size = sizeof now};
        bool is_short = distillation && dafl_distillation_progress(distillation, &now) == DAFL_OK && now.steps < 10;
        status = dafl_distillation_run(distillation, is_short && one_in(8) ? NULL : on_progress, NULL);
    } else if (IS("distillation_progress")) {
        status = dafl_distillation_progress(distillation, sized(sizeof(dafl_progress)));
    } else if (IS("distillation_save")) {
        status = dafl_distillation_save(distillation, path_to_write());
    } else if (IS("distillation_save_memory")) {
        bool has_room = !one_in(4);
        status = dafl_distillation_save_memory(distillation, has_room ? memory : NULL,
            !has_room ? (one_in(4) ? odd_whole() : 0) : one_in(8) ? (int64_t)below(5000) : (int64_t)sizeof memory, one_in(16) ? NULL : &memory_size);
    } else if (IS("distillation_load")) {
        status = dafl_distillation_load(path(), some_teacher(), run_options(), &new_run);
        *made = new_run != NULL;
    } else if (IS("distillation_load_memory")) {
        int64_t size = one_in(2) ? bytes_of_file() : memory_size > 0 && memory_size <= (int64_t)sizeof memory ? memory_size : 1;
        if (one_in(4)) memory[below((unsigned)size + 1)] ^= (uint8_t)next();
        status = dafl_distillation_load_memory(one_in(16) ? NULL : memory, one_in(16) ? odd_wholes[below(2)] : size, some_teacher(),
            one_in(2) ? NULL : run_options(), &new_run);
        *made = new_run != NULL;
    } else if (IS("distillation_cancel")) {
        dafl_distillation_cancel(distillation);
    } else if (IS("distillation_generate")) {
        status = dafl_distillation_generate(distillation, rows(8), some_results(), one_in(3) ? NULL : numbers);
    } else if (IS("distillation_student")) {
        status = dafl_distillation_student(distillation, &new_network);
        *made = new_network != NULL;
    } else if (IS("distillation_generator")) {
        status = dafl_distillation_generator(distillation, &new_network);
        *made = new_network != NULL;
    } else if (IS("distillation_destroy")) {
        if (run >= 0 && run_users[run] > 1) return 1 << 20;
        dafl_distillation_destroy(distillation);
        if (run >= 0) runs[run] = NULL;
    } else {
        fail("a function that is not called");
    }
    if (new_network && new_network == network) fail("a network that was there");
    keep_network(new_network);
    keep_run(new_run);
    return status;
}

static void call(void) {
    static unsigned all = 0;
    if (!all) for (size_t i = 0; i < LENGTH(functions); i++) all += functions[i].weight;
    unsigned chosen = below(all), which = 0;
    while (chosen >= functions[which].weight) chosen -= functions[which++].weight;
    current = functions[which].name;
    int place = some_network(), run = some_run();
    if (depth == 0 && one_in(2)) fill_numbers(); /* what a call was given stays as it is while it is at work */
    if (is_traced) dprintf(screen, "%ld %*s%s %d %d\n", calls_done, 2 * depth, "", current, place, run);
    calls_done++;
    if (depth == 0) callbacks_left = 400;
    if (place >= 0) network_users[place]++;
    if (run >= 0) run_users[run]++;
    depth++;
    int made;
    double start = seconds();
    const char *name = current;
    dafl_status status = status_of(name, place, run, &made);
    current = name;
    double taken = seconds() - start;
    depth--;
    if (place >= 0) network_users[place]--;
    if (run >= 0) run_users[run]--;
    if (taken > longest) longest = taken, longest_call = name;
    if (status == 1 << 20) return;
    require(made < 0 || made == (status == DAFL_OK), "a status that does not fit what came out");
    answers[status <= 0 && status >= -10 ? -status : 11]++;
}

static void crashed(int number) {
    char text[200];
    int length = snprintf(text, sizeof text, "calls: signal %d, in %s, after %ld calls\n", number, current, calls_done);
    if (write(screen, text, (size_t)length) < 0) _exit(2);
    signal(number, SIG_DFL);
    raise(number);
}

static void write_file(const char *name, const char *content) {
    char whole[256];
    snprintf(whole, sizeof whole, "%s/%s", folder, name);
    FILE *file = fopen(whole, "w");
    if (!file) fail("no file can be made");
    fputs(content, file);
    fclose(file);
}

int main(int count, char **arguments) {
    if (count != 3) return fprintf(stderr, "calls SEED CALLS\n"), 2;
    state = strtoull(arguments[1], NULL, 10);
    long wanted = strtol(arguments[2], NULL, 10);
    is_traced = getenv("TRACE") != NULL;
    memset(long_text, 'x', sizeof long_text - 1);

    snprintf(folder, sizeof folder, "/dev/shm/dafl-calls-%d", (int)getpid());
    mkdir(folder, 0700);
    if (chdir(folder)) fail("the folder cannot be entered"); /* for what is given as a path and is none */
    write_file("e.json", architectures[8]);
    write_file("d", "nothing");
    char name[256];
    snprintf(name, sizeof name, "%s/folder", folder);
    mkdir(name, 0700);
    snprintf(name, sizeof name, "%s/link.onnx", folder);
    if (symlink("b.onnx", name)) fail("no link can be made");

    /* What the library writes to the standard streams goes to a file, to be looked at. */
    char silence[256];
    snprintf(silence, sizeof silence, "%s-output", folder);
    screen = dup(2);
    int quiet = open(silence, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (!getenv("TRACE")) dup2(quiet, 1), dup2(quiet, 2);
#if __has_feature(address_sanitizer)
    __sanitizer_set_report_fd((void *)(intptr_t)screen);
#endif
    for (size_t i = 0; i < 5; i++) signal((const int[]){SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGFPE}[i], crashed);

    fill_numbers();
    fill_kept();
    while (calls_done < wanted) call();

    for (int i = 0; i < NETWORKS; i++) dafl_network_destroy(networks[i]);
    for (int i = 0; i < RUNS; i++) dafl_distillation_destroy(runs[i]);
    struct stat status;
    fstat(quiet, &status);
    require(status.st_size == 0, "something was printed");
    unlink(silence);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command)) fail("the folder cannot be removed");
    dprintf(screen, "seed %s: %ld calls, %ld good", arguments[1], calls_done, answers[0]);
    for (int i = 1; i < 11; i++) dprintf(screen, ", %ld %s", answers[i], dafl_status_name(-i));
    dprintf(screen, ", %ld of callbacks; the longest took %.2f s, %s\n", answers[11], longest, longest_call);
    require(longest < 1, "a call that took more than a second");
    return 0;
}
