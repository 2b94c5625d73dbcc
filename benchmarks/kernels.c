/*
 * Measures the kernels alone, one thread, in GFLOP/s counted as the direct algorithm's, beside the processor's measured peak.
 *
 *     make bench-kernels
 *
 * Prints a Markdown table, a row for each shape and instruction set: forward, by input, by weights.
 */
#include <lane_kernels.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCKS = 8, ROUNDS = 7 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static float *floats(ptrdiff_t count) {
    float *memory = aligned_alloc(64, (size_t)((4 * count + 127) / 64 * 64));
    if (!memory) exit(1);
    for (ptrdiff_t i = 0; i < count; i++) memory[i] = (float)(i % 17) / 17 - 0.5f;
    return memory;
}

static int by_value(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

/* The median over some rounds of how long a piece of work takes, repeated to last some milliseconds. */
#define MEDIAN_SECONDS(out, work)                                    \
    do {                                                             \
        double seconds_[ROUNDS];                                     \
        int repeats_ = 1;                                            \
        for (int round_ = -1; round_ < ROUNDS; round_++) {           \
            double start_ = now();                                   \
            for (int r_ = 0; r_ < repeats_; r_++) { work; }          \
            double each_ = (now() - start_) / repeats_;              \
            if (round_ < 0) repeats_ = 1 + (int)(0.01 / each_);      \
            else seconds_[round_] = each_;                           \
        }                                                            \
        qsort(seconds_, ROUNDS, sizeof *seconds_, by_value);         \
        *(out) = seconds_[ROUNDS / 2];                               \
    } while (0)

/* Multiply-adds that nothing waits for, as many as registers hold. */
typedef float vector __attribute__((vector_size(PEAK_BYTES)));

static double peak(void) {
    vector sums[10];
    for (int i = 0; i < 10; i++) sums[i] = (vector){0} + (float)i;
    vector factor = (vector){0} + 0.999f;
    double seconds;
    enum { TURNS = 100000 };
    MEDIAN_SECONDS(&seconds, for (int turn = 0; turn < TURNS; turn++) {
        _Pragma("clang loop unroll(full)") for (int i = 0; i < 10; i++) sums[i] = sums[i] * factor + factor;
        __asm__ volatile("" : "+m"(factor));
    });
    volatile float kept = 0;
    for (int i = 0; i < 10; i++) kept += sums[i][0];
    return 2.0 * TURNS * 10 * (PEAK_BYTES / 4) / seconds / 1e9;
}

static void convolutions(const lane_kernels *k, const char *name, lane_convolution s) {
    ptrdiff_t inputs = s.inputs / s.groups; /* of each output */
    ptrdiff_t in = BLOCKS * 16 * s.inputs * s.input_height * s.input_width;
    ptrdiff_t out = BLOCKS * 16 * s.outputs * s.output_height * s.output_width;
    ptrdiff_t weights = s.outputs * inputs * s.kernel_height * s.kernel_width;
    float *x = floats(in), *y = floats(out), *w = floats(weights), *packed = floats(weights), *dw = floats(weights);
    float *scratch = floats(k->convolution_scratch(&s));
    double flops = 2.0 * (double)out * (double)(inputs * s.kernel_height * s.kernel_width), seconds[3];
    k->pack_weights(&s, w, packed);
    MEDIAN_SECONDS(&seconds[0], k->convolve(&s, x, packed, NULL, y, scratch, 0, BLOCKS));
    k->pack_weights_transposed(&s, w, packed);
    MEDIAN_SECONDS(&seconds[1], k->convolve_input_gradient(&s, y, packed, x, scratch, 0, BLOCKS));
    MEDIAN_SECONDS(&seconds[2], k->convolve_weight_gradient(&s, x, y, dw, scratch, 0, BLOCKS));
    printf("| %s | direct | %s | %.0f | %.0f | %.0f |\n", name, k->name, flops / seconds[0] / 1e9,
           flops / seconds[1] / 1e9, flops / seconds[2] / 1e9);
    free(x), free(y), free(w), free(packed), free(dw), free(scratch);
}

static void winograd(const lane_kernels *k, const char *name, ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t side,
                     ptrdiff_t upsampling) {
    lane_winograd s = {.inputs = inputs, .outputs = outputs, .height = side, .width = side, .upsampling = upsampling};
    ptrdiff_t in = BLOCKS * 16 * inputs * side * side / (upsampling * upsampling), out = BLOCKS * 16 * outputs * side * side;
    float *x = floats(in), *y = floats(out), *w = floats(outputs * inputs * 9), *bias = floats(outputs);
    float *transformed = floats(k->winograd_weights(&s)), *scratch = floats(k->winograd_scratch(&s));
    float *sums = floats(k->winograd_sums_size(&s));
    double flops = 2.0 * (double)out * (double)(inputs * 9), seconds[3];
    k->winograd_transform_weights(&s, w, transformed, 0, k->winograd_weight_tasks(&s));
    MEDIAN_SECONDS(&seconds[0], k->winograd_convolve(&s, x, transformed, bias, y, scratch, 0, BLOCKS));
    k->winograd_transform_weights_transposed(&s, w, transformed, 0, k->winograd_weight_tasks_transposed(&s));
    MEDIAN_SECONDS(&seconds[1], k->winograd_input_gradient(&s, y, transformed, x, scratch, 0, BLOCKS));
    MEDIAN_SECONDS(&seconds[2], k->winograd_weight_gradient(&s, x, y, sums, bias, scratch, 0, BLOCKS));
    printf("| %s | Winograd | %s | %.0f | %.0f | %.0f |\n", name, k->name, flops / seconds[0] / 1e9,
           flops / seconds[1] / 1e9, flops / seconds[2] / 1e9);
    free(x), free(y), free(w), free(bias), free(transformed), free(scratch), free(sums);
}

static void linear(const lane_kernels *k, const char *name, ptrdiff_t inputs, ptrdiff_t outputs) {
    ptrdiff_t samples = BLOCKS * 16;
    ptrdiff_t vectors = (inputs + 15) / 16;
    float *x = floats(samples * inputs), *y = floats(samples * outputs), *w = floats(inputs * outputs);
    float *columns = floats(samples * vectors * 16), *scratch = floats(k->linear_scratch(inputs, outputs));
    double flops = 2.0 * (double)samples * (double)(inputs * outputs), seconds[3];
    MEDIAN_SECONDS(&seconds[0], k->linear(x, w, NULL, y, inputs, outputs, 0, BLOCKS, 0, outputs));
    MEDIAN_SECONDS(&seconds[1], k->linear_input_gradient(y, w, x, scratch, inputs, outputs, 0, BLOCKS, 0, inputs));
    MEDIAN_SECONDS(&seconds[2], {
        k->lanes_to_columns(x, columns, BLOCKS, inputs, 0, vectors);
        k->linear_weight_gradient(columns, y, w, scratch, BLOCKS, inputs, outputs, 0, outputs);
    });
    printf("| %s | linear | %s | %.0f | %.0f | %.0f |\n", name, k->name, flops / seconds[0] / 1e9, flops / seconds[1] / 1e9,
           flops / seconds[2] / 1e9);
    free(x), free(y), free(w), free(columns), free(scratch);
}

static lane_convolution square(ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t side, ptrdiff_t kernel, ptrdiff_t stride,
                               ptrdiff_t padding) {
    ptrdiff_t to = (side + 2 * padding - kernel) / stride + 1;
    return (lane_convolution){.inputs = inputs, .input_height = side, .input_width = side,
                              .outputs = outputs, .output_height = to, .output_width = to,
                              .kernel_height = kernel, .kernel_width = kernel, .stride_y = stride, .stride_x = stride,
                              .padding_top = padding, .padding_left = padding, .dilation_y = 1, .dilation_x = 1,
                              .groups = 1};
}

static lane_convolution depthwise(ptrdiff_t channels, ptrdiff_t side, ptrdiff_t kernel, ptrdiff_t stride) {
    lane_convolution s = square(channels, channels, side, kernel, stride, kernel / 2);
    s.groups = channels;
    return s;
}

int main(void) {
    printf("Measured peak of multiply-adds in registers, one core: %.0f GFLOP/s.\n\n", peak());
    printf("| shape, batch %d | algorithm | kernels | forward | by input | by weights |\n| --- | --- | --- | --- | --- | --- |\n",
           BLOCKS * 16);
    for (int level = 0; level < lane_kernels_available(); level++) {
        const lane_kernels *k = lane_kernels_at(level);
        convolutions(k, "1-6 5x5 @32", square(1, 6, 32, 5, 1, 0));
        convolutions(k, "6-16 5x5 @14", square(6, 16, 14, 5, 1, 0));
        convolutions(k, "64-1 3x3 @32", square(64, 1, 32, 3, 1, 1));
        convolutions(k, "64-128 3x3 stride 2 @32", square(64, 128, 32, 3, 2, 1));
        convolutions(k, "128-128 3x3 @16", square(128, 128, 16, 3, 1, 1));
        convolutions(k, "16-32 1x1 @48", square(16, 32, 48, 1, 1, 0));
        convolutions(k, "64-64 1x1 @24", square(64, 64, 24, 1, 1, 0));
        convolutions(k, "128-128 1x1 @6", square(128, 128, 6, 1, 1, 0));
        convolutions(k, "64-128 1x1 stride 2 @16", square(64, 128, 16, 1, 2, 0));
        convolutions(k, "16 depthwise 3x3 @48", depthwise(16, 48, 3, 1));
        convolutions(k, "64 depthwise 3x3 @24", depthwise(64, 24, 3, 1));
        convolutions(k, "128 depthwise 3x3 @6", depthwise(128, 6, 3, 1));
        convolutions(k, "64 depthwise 3x3 stride 2 @24", depthwise(64, 24, 3, 2));
        convolutions(k, "64 depthwise 5x5 @12", depthwise(64, 12, 5, 1));
        winograd(k, "128-128 3x3 @16", 128, 128, 16, 1);
        winograd(k, "512-512 3x3 @4", 512, 512, 4, 1);
        winograd(k, "up x2 + 128-64, 16 to 32", 128, 64, 32, 2);
        winograd(k, "up x2 + 16-8, 16 to 32", 16, 8, 32, 2);
        linear(k, "400-120", 400, 120);
        linear(k, "1200-1200", 1200, 1200);
        linear(k, "4096-4096", 4096, 4096);
    }
    return 0;
}
