// The innermost loops of libdafl, over batches in lane order.
//
// A batch of n samples, each of shape [...], is stored as [ceil(n / 16)][...][16]: sixteen samples side by side in the
// last dimension, one in each lane of a vector. Whatever a layer does to one sample it then does to sixteen at once, for
// any number of channels and any image size, with no shuffles: a convolution multiplies vectors of pixels by single
// weights. A group of sixteen samples is called a block. The lanes past n in the last block hold zeros in inputs and in
// gradients; what other activations hold there is finite and never read back.
//
// Every function works on a range of blocks, channels or tasks, so that a caller can share the work among threads: two
// calls with disjoint ranges never write the same memory. All pointers are aligned to 64 bytes unless the comment says
// "rows". Shapes are written in the order of memory; blocks are left out: [channels,height,width] means
// [blocks][channels][height][width][16].

#ifndef LANE_KERNELS_H
#define LANE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define LANE_COUNT 16
// Dimensions of a walk, the blocks included.
#define LANE_DIMENSIONS 6
// Columns of a grid that is enlarged to a picture, at most.
#define LANE_CELLS 64

#pragma clang assume_nonnull begin

// The sizes of a convolution: x [inputs, input_height, input_width] to y [outputs, output_height, output_width]. Tap u of
// output row i meets input row i stride_y + u dilation_y - padding_top, and columns likewise; around the input lie zeros,
// below and to the right as many as the output's size takes. Channels come in groups, each of whose outputs sees its own
// inputs only. Paddings are at least 0, all else at least 1.
typedef struct lane_convolution {
    ptrdiff_t inputs, input_height, input_width;
    ptrdiff_t outputs, output_height, output_width;
    ptrdiff_t kernel_height, kernel_width;
    ptrdiff_t stride_y, stride_x, padding_top, padding_left, dilation_y, dilation_x;
    ptrdiff_t groups;
} lane_convolution;

// The sizes of a 3 x 3 convolution of stride 1 and padding 1 for Winograd's algorithm: y is [outputs, height, width] and x
// [inputs, height, width], or, with upsampling 2 instead of 1, [inputs, height / 2, width / 2], each of its pixels standing
// for 2 x 2.
typedef struct lane_winograd {
    ptrdiff_t inputs, outputs, height, width, upsampling;
} lane_winograd;

// Pooling of [channels, input_height, input_width] over windows of window_y x window_x pixels: the first row of window (i, j)
// is i stride_y - padding_top, and columns likewise. What is outside the input is never a maximum and adds nothing to an
// average. An average divides by as many pixels as the window has in the input, or, when it counts padding, in the input with
// its padding on all sides; windows may reach past that too, as PyTorch's do with ceil_mode. Paddings are at least 0, all
// other sizes at least 1. Without a pixel in the input, which PyTorch has no windows for, a maximum is -infinity and an
// average 0.
typedef struct lane_pooling {
    ptrdiff_t channels, input_height, input_width;
    ptrdiff_t output_height, output_width;
    ptrdiff_t window_y, window_x, stride_y, stride_x;
    ptrdiff_t padding_top, padding_left, padding_bottom, padding_right;
    int counts_padding; // in averages
    int rectifies;      // max pooling of ReLU(x)
} lane_pooling;

// Batch normalisation of [channels, pixels] followed by LeakyReLU, with slope 1 for none. The arrays have a number for each
// channel; scale = weight * inverse_deviation and shift = bias - mean * scale.
typedef struct lane_normalisation {
    ptrdiff_t samples, channels, pixels;
    const float *mean, *inverse_deviation, *scale, *shift;
    float slope;
} lane_normalisation;

// The hyperparameters of one Adam step (Kingma and Ba 2015; decoupled decay as in Loshchilov and Hutter 2019).
typedef struct lane_adam {
    float learning_rate, epsilon;
    float gain1, gain2;                       // 1 - beta, which as a difference of floats would lose digits
    float bias_correction1, bias_correction2; // 1 - beta^t
    float l2_decay;                           // added to the gradient
    float decoupled_decay;                    // taken from the weight, times the learning rate
} lane_adam;

// Functions of one number, with two constants a and b for those that have some. The slope at a bend is PyTorch's.
typedef enum lane_activation {
    LANE_CLIP,         // the nearest number from a to b, either of which may be infinite; slope 1 strictly between
    LANE_ELU,          // x > 0 ? x : a (e^x - 1)
    LANE_SELU,         // b ELU with a
    LANE_GELU,         // x times the standard normal distribution function of x
    LANE_GELU_TANH,    // its approximation with a tanh
    LANE_SILU,         // x sigmoid(x)
    LANE_MISH,         // x tanh(softplus(x))
    LANE_SOFTPLUS,     // log(1 + e^x)
    LANE_SOFTSIGN,     // x / (1 + |x|)
    LANE_SIGMOID,      // 1 / (1 + e^-x)
    LANE_HARD_SIGMOID, // a x + b, from 0 to 1
    LANE_HARD_SWISH,   // x times (x + 3) / 6, from 0 to 1
    LANE_ABS, LANE_NEGATE, LANE_RECIPROCAL, LANE_SQRT,
    LANE_POWER,        // x^a; of a negative x NaN unless a is whole
    LANE_EXP, LANE_LOG, LANE_ERF,
} lane_activation;

typedef enum lane_operation {
    LANE_ADD, LANE_SUBTRACT, LANE_MULTIPLY, LANE_DIVIDE, LANE_MAXIMUM, LANE_MINIMUM
} lane_operation;

// Steps of `scale`, which is above 0, numbered from low to high, of which zero stands for 0: three whole numbers below
// 2^21 in magnitude.
typedef struct lane_quantization {
    float scale, zero, low, high;
} lane_quantization;

// A sample seen as [groups, channels, pixels] where numbers are given by channel, or a function goes along the channels.
typedef struct lane_channels {
    ptrdiff_t groups, channels, pixels;
} lane_channels;

// A way through two arrays, a and b, of vectors of sixteen: `sizes` from the outermost dimension, the blocks, to the
// innermost, 1 for those that are not there, and how many vectors each array goes on for a step along a dimension. That is 0
// where an array stands still, and may be negative.
typedef struct lane_walk {
    ptrdiff_t sizes[LANE_DIMENSIONS], a[LANE_DIMENSIONS], b[LANE_DIMENSIONS];
} lane_walk;

// A sample in `segments` parts of the same size, each of which is normalised by its own mean and variance; a weight and a bias
// for each channel of `layout`, or none. The runs of `pixels` lie whole in a segment.
typedef struct lane_segments {
    lane_channels layout;
    ptrdiff_t segments;
    const float *_Nullable weight, *_Nullable bias;
    float epsilon; // above 0
} lane_segments;

// Local response normalisation of [channels, pixels]: y = x / scale^beta, where scale is bias plus alpha times the mean of
// the squares of the same pixel in the channels from `before` before this to `after` after it, zeros where there is none.
// bias is above 0, and alpha at least 0.
typedef struct lane_responses {
    ptrdiff_t channels, pixels, before, after;
    float alpha, beta, bias;
} lane_responses;

// Between two places: (1 - share) of what is at the first and `share` of what is at the second.
typedef struct lane_between {
    ptrdiff_t first, second;
    float share;
} lane_between;

// From [input_height, input_width] to [output_height, output_width], for each of whose rows and columns it is said between
// which of the input's it lies.
typedef struct lane_resampling {
    ptrdiff_t input_height, input_width, output_height, output_width;
    const lane_between *rows, *columns;
} lane_resampling;

// Inputs start ..< end, which lie side by side.
typedef struct lane_run {
    int32_t start, end;
} lane_run;

// What sixteen outputs of a convolution of one image are made of.
typedef struct lane_single_block {
    ptrdiff_t input;              // floats from x to where its inputs' places count from
    ptrdiff_t weights;            // floats from the weights' start to its own
    ptrdiff_t first_run, end_run; // of the inputs of a pixel, counted from the pixel's place
    int is_half;                  // only the first eight are there
} lane_single_block;

// A convolution of one image, with channels in the lanes: y is [ceil(outputs / 16)][...][16], whose pixels lie at
// output_places within a block, and x anything whose numbers for each pixel lie at its place and from there on in the
// block's runs. Weights are [16] for each number of the runs; for a depthwise convolution, whose x is as y, for each run, a
// vector of sixteen inputs at its start. All starts of vectors are multiples of 16.
//
// y = clip(leaky(x * w + bias + residual)), where leaky is LeakyReLU with the channel's slope. bias and slopes have whole
// blocks; residual and slopes may be null, and the residual's pixels have places of their own.
typedef struct lane_single_convolution {
    ptrdiff_t pixels, output_block, residual_block; // floats from one block to the next
    const lane_single_block *blocks;
    const lane_run *runs;
    const int32_t *input_places, *output_places, *_Nullable residual_places;
    const float *bias, *_Nullable slopes, *_Nullable residual;
    float low, high; // of clip
    int clips, is_depthwise;
} lane_single_convolution;

// The same for a 3 x 3 convolution of stride 1 without groups, of an image in lanes, by Winograd's algorithm: y has height x
// width pixels, and x is to be zero up to pixel 4 ceil(height / 4) and 4 ceil(width / 4) of what the kernel meets.
typedef struct lane_single_winograd {
    ptrdiff_t inputs, height, width;
    ptrdiff_t input_block, input_row; // floats of x from one to the next
    const lane_single_convolution *_Nullable convolution; // but for its runs; set when it is done
} lane_single_winograd;

// One set of kernels, compiled for one instruction set.
typedef struct lane_kernels {
    const char *name;

    // --- convolution -------------------------------------------------------------------------------------------------
    // Weights are packed for the kernels: pack_weights for the forward pass, pack_weights_transposed for the gradient by
    // the input; both make as many floats as there are weights in PyTorch's [out,in/groups,kh,kw].
    void (*pack_weights)(const lane_convolution *shape, const float *weights, float *packed);
    void (*pack_weights_transposed)(const lane_convolution *shape, const float *weights, float *packed);
    // Floats of scratch that one thread needs for each of the three passes.
    ptrdiff_t (*convolution_scratch)(const lane_convolution *shape);
    // y = x * w + bias; bias may be null.
    void (*convolve)(const lane_convolution *shape, const float *x, const float *packed, const float *_Nullable bias,
                     float *y, float *_Nullable scratch, ptrdiff_t first_block, ptrdiff_t end_block);
    // dx from dy; overwrites dx.
    void (*convolve_input_gradient)(const lane_convolution *shape, const float *dy, const float *packed_transposed,
                                    float *dx, float *scratch, ptrdiff_t first_block, ptrdiff_t end_block);
    // Overwrites dw [out,in/groups,kh,kw] with what the blocks of the range add to the gradient by the weights.
    void (*convolve_weight_gradient)(const lane_convolution *shape, const float *x, const float *dy, float *dw,
                                     float *scratch, ptrdiff_t first_block, ptrdiff_t end_block);

    // --- 3 x 3 convolution by Winograd's algorithm ---------------------------------------------------------------------
    // 2.25 to 6 times fewer multiplications than the above, and rounding errors ten times as large.
    // Floats of transformed weights, of scratch for one thread, and of one thread's sums for the gradient by the weights.
    ptrdiff_t (*winograd_weights)(const lane_winograd *shape);
    ptrdiff_t (*winograd_scratch)(const lane_winograd *shape);
    ptrdiff_t (*winograd_sums_size)(const lane_winograd *shape);
    // From [out,in,3,3], for the forward pass and for the gradient by the input.
    void (*winograd_transform_weights)(const lane_winograd *shape, const float *weights, float *transformed,
                                       ptrdiff_t first_task, ptrdiff_t end_task);
    void (*winograd_transform_weights_transposed)(const lane_winograd *shape, const float *weights, float *transformed,
                                                  ptrdiff_t first_task, ptrdiff_t end_task);
    ptrdiff_t (*winograd_weight_tasks)(const lane_winograd *shape);
    ptrdiff_t (*winograd_weight_tasks_transposed)(const lane_winograd *shape);
    void (*winograd_convolve)(const lane_winograd *shape, const float *x, const float *transformed,
                              const float *_Nullable bias, float *y, float *scratch, ptrdiff_t first_block,
                              ptrdiff_t end_block);
    // Overwrites dx, which is as small as x.
    void (*winograd_input_gradient)(const lane_winograd *shape, const float *dy, const float *transformed, float *dx,
                                    float *scratch, ptrdiff_t first_block, ptrdiff_t end_block);
    // Overwrites sums, and db [outputs], with what the blocks of the range add to the gradients by the weights and the bias.
    void (*winograd_weight_gradient)(const lane_winograd *shape, const float *x, const float *dy, float *sums, float *db,
                                     float *scratch, ptrdiff_t first_block, ptrdiff_t end_block);
    // dw [out,in,3,3] from `parts` sums one after the other, in tasks that each write a part of it.
    ptrdiff_t (*winograd_finish_tasks)(const lane_winograd *shape);
    void (*winograd_finish_weight_gradient)(const lane_winograd *shape, const float *sums, ptrdiff_t parts, float *dw,
                                            ptrdiff_t first_task, ptrdiff_t end_task);

    // --- linear layers, weights [outputs, inputs] --------------------------------------------------------------------
    // Floats of scratch that one thread needs for each of the two gradients.
    ptrdiff_t (*linear_scratch)(ptrdiff_t inputs, ptrdiff_t outputs);
    // y = weights x + bias, for a range of outputs too; bias may be null.
    void (*linear)(const float *x, const float *weights, const float *_Nullable bias, float *y, ptrdiff_t inputs,
                   ptrdiff_t outputs, ptrdiff_t first_block, ptrdiff_t end_block, ptrdiff_t first_output,
                   ptrdiff_t end_output);
    // dx from dy, for a range of inputs too; overwrites dx.
    void (*linear_input_gradient)(const float *dy, const float *weights, float *dx, float *scratch, ptrdiff_t inputs,
                                  ptrdiff_t outputs, ptrdiff_t first_block, ptrdiff_t end_block, ptrdiff_t first_input,
                                  ptrdiff_t end_input);
    // dw [outputs, inputs] of a range of outputs, from x in columns and dy in lanes; overwrites it.
    void (*linear_weight_gradient)(const float *x_columns, const float *dy, float *dw, float *scratch, ptrdiff_t blocks,
                                   ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t first_output, ptrdiff_t end_output);

    // --- pooling and upsampling --------------------------------------------------------------------------------------
    void (*max_pool)(const lane_pooling *shape, const float *x, float *y, ptrdiff_t first_block, ptrdiff_t end_block);
    // The first of equal maxima, in row order, takes the gradient, as in PyTorch. Overwrites dx.
    void (*max_pool_gradient)(const lane_pooling *shape, const float *x, const float *y, const float *dy, float *dx,
                              ptrdiff_t first_block, ptrdiff_t end_block);
    void (*average_pool)(const lane_pooling *shape, const float *x, float *y, ptrdiff_t first_block,
                         ptrdiff_t end_block);
    void (*average_pool_gradient)(const lane_pooling *shape, const float *dy, float *dx, ptrdiff_t first_block,
                                  ptrdiff_t end_block);
    // Nearest neighbour: each of planes * height * width pixels becomes factor x factor. planes counts channels of all
    // blocks, so the range is one of planes.
    void (*upsample)(ptrdiff_t height, ptrdiff_t width, ptrdiff_t factor, const float *x, float *y,
                     ptrdiff_t first_plane, ptrdiff_t end_plane);
    void (*upsample_gradient)(ptrdiff_t height, ptrdiff_t width, ptrdiff_t factor, const float *dy, float *dx,
                              ptrdiff_t first_plane, ptrdiff_t end_plane);

    // --- batch normalisation, by ranges of channels ------------------------------------------------------------------
    // Mean and biased variance of each channel over `samples` samples and `pixels` pixels.
    void (*channel_statistics)(const float *x, ptrdiff_t samples, ptrdiff_t channels, ptrdiff_t pixels, float *mean,
                               float *variance, ptrdiff_t first_channel, ptrdiff_t end_channel);
    // y = leaky(x * scale + shift), where leaky is LeakyReLU with the slope.
    void (*normalise)(const float *x, float *y, const lane_normalisation *shape, ptrdiff_t first_channel,
                      ptrdiff_t end_channel);
    // With g = dy * leaky'(x * scale + shift) and xhat = (x - mean) * inverse_deviation: the sums of g and of g * xhat.
    void (*normalisation_sums)(const float *x, const float *dy, const lane_normalisation *shape, float *sum_dy,
                               float *sum_dy_xhat, ptrdiff_t first_channel, ptrdiff_t end_channel);
    // dx = scale * (g - mean_dy - xhat * mean_dy_xhat), zero in the lanes past `samples`.
    void (*normalisation_gradient)(const float *x, const float *dy, float *dx, const lane_normalisation *shape,
                                   const float *mean_dy, const float *mean_dy_xhat, ptrdiff_t first_channel,
                                   ptrdiff_t end_channel);
    // sums[c] = sum of x over samples and pixels.
    void (*channel_sums)(const float *x, ptrdiff_t blocks, ptrdiff_t channels, ptrdiff_t pixels, float *sums,
                         ptrdiff_t first_channel, ptrdiff_t end_channel);
    // dx += by_mean + by_variance (x - mean), by channel, but not in the lanes past `samples`.
    void (*statistics_gradient)(const float *x, float *dx, ptrdiff_t samples, ptrdiff_t channels, ptrdiff_t pixels,
                                const float *mean, const float *by_mean, const float *by_variance,
                                ptrdiff_t first_channel, ptrdiff_t end_channel);

    // --- elementwise, over `count` floats, a multiple of 16 ----------------------------------------------------------
    // y = x > 0 ? x : slope * x; slope 0 is ReLU.
    void (*leaky_relu)(const float *x, float *y, float slope, ptrdiff_t count);
    // From the output: for slopes of at least 0 its sign is the input's.
    void (*leaky_relu_gradient)(const float *y, const float *dy, float *dx, float slope, ptrdiff_t count);
    void (*tanh)(const float *x, float *y, ptrdiff_t count);
    void (*tanh_gradient)(const float *y, const float *dy, float *dx, ptrdiff_t count);
    void (*add)(const float *a, const float *b, float *sum, ptrdiff_t count);
    // a = (1 - share) a + share b.
    void (*blend)(float *a, const float *b, float share, ptrdiff_t count);

    // --- activations, over `count` floats, a multiple of 16 ----------------------------------------------------------
    // dx = dy times the slope at x, and 0 where dy is 0 whatever the slope. y may be x, and dx either of x and dy.
    void (*activate)(lane_activation kind, float a, float b, const float *x, float *y, ptrdiff_t count);
    void (*activate_gradient)(lane_activation kind, float a, float b, const float *x, const float *dy, float *dx,
                              ptrdiff_t count);
    // y = (clamp(round(x / scale) + zero, low, high) - zero) * scale, rounded to the even one of two.
    void (*fake_quantize)(const lane_quantization *shape, const float *x, float *y, ptrdiff_t count);
    // dx = dy where that clamped nothing, else 0: straight through the rounding.
    void (*fake_quantize_gradient)(const lane_quantization *shape, const float *x, const float *dy, float *dx,
                                   ptrdiff_t count);
    // y = x > 0 ? x : slope * x, with slopes [channels].
    void (*prelu)(const lane_channels *shape, const float *x, const float *slopes, float *y, ptrdiff_t first_block,
                  ptrdiff_t end_block);
    void (*prelu_gradient)(const lane_channels *shape, const float *x, const float *slopes, const float *dy, float *dx,
                           ptrdiff_t first_block, ptrdiff_t end_block);
    // By the slopes, summed over samples, groups and pixels, by ranges of channels.
    void (*prelu_slope_gradient)(const lane_channels *shape, const float *x, const float *dy, float *by_slope,
                                 ptrdiff_t blocks, ptrdiff_t first_channel, ptrdiff_t end_channel);

    // --- along strides, by ranges of the walk's outermost dimension --------------------------------------------------
    // b = a, and b += a, where they lie apart.
    void (*copy)(const lane_walk *walk, const float *a, float *b, ptrdiff_t first_block, ptrdiff_t end_block);
    void (*accumulate)(const lane_walk *walk, const float *a, float *b, ptrdiff_t first_block, ptrdiff_t end_block);
    // y = a operation b, where y is contiguous in the walk's order. Of maximum and minimum, NaN is both.
    void (*combine)(lane_operation operation, const lane_walk *walk, const float *a, const float *b, float *y,
                    ptrdiff_t first_block, ptrdiff_t end_block);
    // da from dy, which is contiguous, and db, where they lie as a and b do; summed over the dimensions along which these
    // stand still, which the blocks must not be. Equals share a maximum's gradient. Overwrite da and db.
    void (*combine_gradient_a)(lane_operation operation, const lane_walk *walk, const float *a, const float *b,
                               const float *dy, float *da, ptrdiff_t first_block, ptrdiff_t end_block);
    void (*combine_gradient_b)(lane_operation operation, const lane_walk *walk, const float *a, const float *b,
                               const float *dy, float *db, ptrdiff_t first_block, ptrdiff_t end_block);
    // b = factor times the sum of a, and the maximum of a, over the dimensions along which b stands still.
    void (*reduce_sum)(const lane_walk *walk, float factor, const float *a, float *b, ptrdiff_t first_block,
                       ptrdiff_t end_block);
    void (*reduce_max)(const lane_walk *walk, const float *a, float *b, ptrdiff_t first_block, ptrdiff_t end_block);
    // da, where it lies as a does, from db; the first of equal maxima, in the walk's order, takes it. Overwrites da.
    void (*reduce_max_gradient)(const lane_walk *walk, const float *a, const float *b, const float *db, float *da,
                                ptrdiff_t first_block, ptrdiff_t end_block);

    // --- each sample by itself ---------------------------------------------------------------------------------------
    // y = weight (x - mean) / sqrt(variance + epsilon) + bias, with the biased variance; means and inverse_deviations,
    // 1 / sqrt(variance + epsilon), are [segments].
    void (*normalise_segments)(const lane_segments *shape, const float *x, float *y, float *means,
                               float *inverse_deviations, ptrdiff_t first_block, ptrdiff_t end_block);
    void (*segments_gradient)(const lane_segments *shape, const float *x, const float *dy, const float *means,
                              const float *inverse_deviations, float *dx, ptrdiff_t first_block, ptrdiff_t end_block);
    // By weight and bias, summed over samples, by ranges of channels.
    void (*segment_parameter_gradients)(const lane_segments *shape, const float *x, const float *dy, const float *means,
                                        const float *inverse_deviations, float *by_weight, float *by_bias,
                                        ptrdiff_t blocks, ptrdiff_t first_channel, ptrdiff_t end_channel);
    // Softmax along the channels of [groups, channels, pixels], and its gradient from y.
    void (*softmax_along)(const lane_channels *shape, const float *x, float *y, ptrdiff_t first_block,
                          ptrdiff_t end_block);
    void (*softmax_along_gradient)(const lane_channels *shape, const float *y, const float *dy, float *dx,
                                   ptrdiff_t first_block, ptrdiff_t end_block);
    // scales [channels, pixels] are for the gradient.
    void (*normalise_responses)(const lane_responses *shape, const float *x, float *y, float *scales,
                                ptrdiff_t first_block, ptrdiff_t end_block);
    void (*responses_gradient)(const lane_responses *shape, const float *x, const float *y, const float *scales,
                               const float *dy, float *dx, ptrdiff_t first_block, ptrdiff_t end_block);

    // --- between image sizes, by ranges of planes, of which each block has one for each channel ----------------------
    void (*resample)(const lane_resampling *shape, const float *x, float *y, ptrdiff_t first_plane, ptrdiff_t end_plane);
    // Overwrites dx.
    void (*resample_gradient)(const lane_resampling *shape, const float *dy, float *dx, ptrdiff_t first_plane,
                              ptrdiff_t end_plane);

    // --- filling -----------------------------------------------------------------------------------------------------
    // numbers [count] to every sample; element_sums is its gradient.
    void (*spread)(const float *numbers, float *y, ptrdiff_t count, ptrdiff_t first_block, ptrdiff_t end_block);
    // Zeros in the lanes past `samples`, for what may be infinite or NaN there: 1 / x of their zeros.
    void (*clear_unused)(float *x, ptrdiff_t samples, ptrdiff_t elements);

    // --- softmax over classes ----------------------------------------------------------------------------------------
    // log_p = log softmax(x * scale), p = its exponential.
    void (*softmax)(const float *x, float scale, float *p, float *log_p, ptrdiff_t classes, ptrdiff_t first_block,
                    ptrdiff_t end_block);

    // --- losses ------------------------------------------------------------------------------------------------------
    // What block b adds to a loss over `samples` samples comes to sums[b], so that their sum need not depend on the number
    // of threads. Gradients are overwritten, with zeros in the lanes past `samples`. p is softmax(x) and log_p its logarithm.

    // places [samples]: of the largest element of each sample, the first of equals.
    void (*argmax)(const float *x, ptrdiff_t *places, ptrdiff_t samples, ptrdiff_t elements, ptrdiff_t first_block,
                   ptrdiff_t end_block);
    // -log p[label], and by x (p - onehot(label)) / samples, for labels [samples]. gradient may be null.
    void (*cross_entropy)(const float *p, const float *log_p, const ptrdiff_t *labels, float *_Nullable gradient,
                          ptrdiff_t samples, ptrdiff_t classes, double *sums, ptrdiff_t first_block, ptrdiff_t end_block);
    // KL(p || q) = sum_k p (log p - log q); gradient = slope (q - p).
    void (*divergence)(const float *p, const float *log_p, const float *q, const float *log_q, float slope,
                       float *gradient, ptrdiff_t samples, ptrdiff_t classes, double *sums, ptrdiff_t first_block,
                       ptrdiff_t end_block);
    // sums[k] = sum over samples of element k of x, by ranges of elements.
    void (*element_sums)(const float *x, ptrdiff_t samples, ptrdiff_t elements, double *sums, ptrdiff_t first_element,
                         ptrdiff_t end_element);
    // one_hot (p - onehot(winner)) + entropy p (log_mean - sum_k p_k log_mean_k), by x, for winners [samples] and log_mean
    // [classes].
    void (*generator_gradient)(const float *p, const ptrdiff_t *winners, const double *log_mean, double one_hot,
                               double entropy, float *gradient, ptrdiff_t samples, ptrdiff_t classes,
                               ptrdiff_t first_block, ptrdiff_t end_block);
    // sum |x|; gradient = slope sign(x), which may be null.
    void (*magnitudes)(const float *x, float slope, float *_Nullable gradient, ptrdiff_t samples, ptrdiff_t elements,
                       double *sums, ptrdiff_t first_block, ptrdiff_t end_block);
    // sum (x - target)^2; gradient = slope (x - target).
    void (*squared_error)(const float *x, const float *target, double slope, float *gradient, ptrdiff_t samples,
                          ptrdiff_t elements, double *sums, ptrdiff_t first_block, ptrdiff_t end_block);

    // --- probabilities read as logits --------------------------------------------------------------------------------
    // log_p = log max(p, least); sums and minima [blocks][16] are those of each sample's p.
    void (*log_probabilities)(const float *p, float least, float *log_p, float *sums, float *minima, ptrdiff_t classes,
                              ptrdiff_t first_block, ptrdiff_t end_block);
    // dp = by_log_p / p, and 0 where p was not above least.
    void (*log_probabilities_gradient)(const float *p, float least, const float *by_log_p, float *dp, ptrdiff_t count);

    // --- weights, any count and alignment ----------------------------------------------------------------------------
    void (*adam)(float *weights, const float *gradient, float *first_moment, float *second_moment, ptrdiff_t count,
                 const lane_adam *step);
    void (*sgd)(float *weights, const float *gradient, float *velocity, ptrdiff_t count, float learning_rate,
                float momentum, float l2_decay);

    // --- between rows [samples][elements] and lanes ------------------------------------------------------------------
    // Sample i comes from row picks[i], or row i when picks is null.
    void (*picked_rows_to_lanes)(const float *rows, const ptrdiff_t *_Nullable picks, float *lanes, ptrdiff_t samples,
                                 ptrdiff_t elements, ptrdiff_t first_block, ptrdiff_t end_block);
    void (*lanes_to_rows)(const float *lanes, float *rows, ptrdiff_t samples, ptrdiff_t elements, ptrdiff_t first_block,
                          ptrdiff_t end_block);
    // To columns, as vectors of sixteen elements of each sample: [ceil(elements / 16)][16 blocks][16], zeros past the last
    // element, by ranges of the vectors.
    void (*lanes_to_columns)(const float *lanes, float *columns, ptrdiff_t blocks, ptrdiff_t elements,
                             ptrdiff_t first_vector, ptrdiff_t end_vector);

    // --- rows in a byte a number, as image files keep them -----------------------------------------------------------
    // Each row in 256 steps from its least number to its largest: ranges [rows][2] get the middle and the step.
    void (*rows_to_bytes)(const float *rows, uint8_t *bytes, float *ranges, ptrdiff_t elements, ptrdiff_t first_row,
                          ptrdiff_t end_row);
    // Row i from row picks[i] of bytes.
    void (*picked_bytes_to_rows)(const uint8_t *bytes, const float *ranges, const ptrdiff_t *picks, float *rows,
                                 ptrdiff_t elements, ptrdiff_t first_row, ptrdiff_t end_row);

    // --- images in rows [samples][channels, height, width] -----------------------------------------------------------
    // Moves, turns, scales and shears each image: to(y, x) = from(m0 + m1 y + m2 x, m3 + m4 y + m5 x) with maps
    // [samples][6], bilinear between pixels, the nearest edge pixel outside.
    void (*warp)(const float *from, float *to, const float *maps, ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width,
                 ptrdiff_t first_sample, ptrdiff_t end_sample);
    // Blends each image with the mean of the 3 x 3 pixels around each of its pixels, which counts for shares [samples], and
    // multiplies it by factors [samples].
    void (*smooth)(const float *from, float *to, const float *shares, const float *factors, ptrdiff_t channels,
                   ptrdiff_t height, ptrdiff_t width, ptrdiff_t first_sample, ptrdiff_t end_sample);

    // --- pictures drawn in rows, a plane [height, width] at a time ----------------------------------------------------
    // squares = min(squares, squared distance to the line through points [count][2], (x, y)) for pixels within reach of it.
    void (*approach)(float *squares, const float *points, ptrdiff_t count, float reach, ptrdiff_t height, ptrdiff_t width);
    // x = rise(sharpness (half - sqrt(x))), where rise goes from 0 at -3 to 1 at 3 as a sigmoid does.
    void (*thicken)(float *x, float half, float sharpness, ptrdiff_t count);
    // x = rise(gain (x - pivot)).
    void (*threshold)(float *x, float pivot, float gain, ptrdiff_t count);
    // plane += weight times grid [rows, columns] enlarged to it, bilinear between centres of cells; at most LANE_CELLS columns.
    void (*enlarge)(const float *grid, ptrdiff_t rows, ptrdiff_t columns, float weight, float *plane, ptrdiff_t height,
                    ptrdiff_t width);
    // plane += weight times a lattice [cells, cells] that repeats, cells a power of two, at (map0 + map1 x + map2 y, map3 + map4 x +
    // map5 y), smooth between its points.
    void (*weave)(const float *lattice, ptrdiff_t cells, const float *map, float weight, float *plane, ptrdiff_t height,
                  ptrdiff_t width);
    // mask = rise(sharpness radius (1 - r)), where r is the distance from 0 of (map0 + map1 x + map2 y, map3 + map4 x + map5 y), or
    // with is_box its larger coordinate.
    void (*cover)(float *mask, const float *map, int is_box, float radius, float sharpness, ptrdiff_t height,
                  ptrdiff_t width);
    // plane += mask (low + span texture - plane).
    void (*lay)(float *plane, const float *mask, const float *texture, float low, float span, ptrdiff_t count);

    // --- one image ----------------------------------------------------------------------------------------------------
    // y from x: pixels first ..< end of all blocks, of which each has shape->pixels.
    void (*single_convolve)(const lane_single_convolution *shape, const float *x, const float *weights, float *y,
                            ptrdiff_t first, ptrdiff_t end);
    // Floats of scratch that one thread needs.
    ptrdiff_t (*single_winograd_scratch)(const lane_single_winograd *shape);
    // By ranges of tiles of 4 x 4 pixels, in rows of them, and of blocks of outputs. Weights are [36][inputs][16] for each block.
    void (*single_winograd)(const lane_single_winograd *shape, const float *x, const float *weights, float *y,
                            float *scratch, ptrdiff_t first_tile, ptrdiff_t end_tile, ptrdiff_t first_block,
                            ptrdiff_t end_block);
    // Those, of a range of blocks, from [outputs,inputs,3,3], each output's times its scale; in rows.
    void (*single_winograd_weights)(const float *weights, const float *scales, float *packed, ptrdiff_t inputs,
                                    ptrdiff_t outputs, ptrdiff_t first_block, ptrdiff_t end_block);
    // y = weights [outputs, inputs] x + bias in rows, for outputs first ..< end; bias may be null.
    void (*single_linear)(const float *x, const float *weights, const float *_Nullable bias, float *y, ptrdiff_t inputs,
                          ptrdiff_t first, ptrdiff_t end);
} lane_kernels;

// How many sets this processor can run, slowest first; at least 1.
int lane_kernels_available(void);
// The set at `level`, from 0 to lane_kernels_available() - 1.
const lane_kernels *lane_kernels_at(int level);

// Tells the processor that the thread is watching memory: it saves power and leaves room for the core's other thread.
static inline void lane_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Processors that this process may run on.
int lane_available_processors(void);

#pragma clang assume_nonnull end

#endif
