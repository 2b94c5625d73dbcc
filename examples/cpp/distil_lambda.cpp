/*
 * Distils a teacher that the library knows nothing of: two lambdas.
 *
 *     ./distil_lambda [steps]
 *
 * The teacher tells which quarter of an 8x8 picture is the brightest. It is a perceptron of two layers:
 *
 *     hidden[q] = tanh(2 * mean of the pixels of quarter q)      4 numbers
 *     logits[q] = 6 * hidden[q]                                  4 classes
 *
 * Its backward lambda is the chain rule through the same two lines, from the last to the first.
 */
#include <dafl.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

using dafl::Span;

constexpr std::size_t side = 8, pixels = side * side, quarters = 4;

static std::size_t quarter_of(std::size_t pixel) {
    const std::size_t row = pixel / side, column = pixel % side;
    return 2 * (row / (side / 2)) + column / (side / 2);
}

static std::array<float, quarters> hidden_of(Span<const float> image) {
    std::array<float, quarters> hidden{};
    for (std::size_t p = 0; p < pixels; ++p) hidden[quarter_of(p)] += 2 * image[p] / (pixels / quarters);
    for (float &number : hidden) number = std::tanh(number);
    return hidden;
}

static dafl::Teacher brightest_quarter() {
    dafl::Teacher teacher;
    teacher.input_shape = {1, side, side};
    teacher.classes = quarters;
    teacher.features = quarters;
    teacher.forward = [](std::size_t count, Span<const float> images, Span<float> logits, Span<float> features) {
        for (std::size_t i = 0; i < count; ++i) {
            const auto hidden = hidden_of(images.subspan(i * pixels, pixels));
            for (std::size_t q = 0; q < quarters; ++q) {
                features[i * quarters + q] = hidden[q];
                logits[i * quarters + q] = 6 * hidden[q];
            }
        }
    };
    teacher.backward = [](std::size_t count, Span<const float> images, Span<const float> logits_gradient,
                          Span<const float> features_gradient, Span<float> images_gradient) {
        for (std::size_t i = 0; i < count; ++i) {
            const auto hidden = hidden_of(images.subspan(i * pixels, pixels));
            for (std::size_t p = 0; p < pixels; ++p) {
                const std::size_t q = quarter_of(p);
                const float by_hidden = 6 * logits_gradient[i * quarters + q] + features_gradient[i * quarters + q];
                images_gradient[i * pixels + p] = by_hidden * (1 - hidden[q] * hidden[q]) * 2 / (pixels / quarters);
            }
        }
    };
    return teacher;
}

static std::ptrdiff_t largest(Span<const float> numbers) {
    return std::max_element(numbers.begin(), numbers.end()) - numbers.begin();
}

int main(int argc, char **argv) try {
    dafl::DistillationOptions options;
    options.student = "mlp-64-16-4";
    options.steps = argc > 1 ? std::atoll(argv[1]) : 300;
    options.batch_size = 64;
    options.generator_width = 16; // small pictures need no more
    options.latent_size = 16;

    auto distillation = dafl::Distillation::create(brightest_quarter(), options);
    distillation.run();

    // How often does the student say what the teacher says, on pictures made for the occasion?
    const std::size_t checked = 512;
    const auto [images, wanted] = distillation.generate(checked);
    const auto answers = distillation.student().predict(images);
    std::size_t agreed = 0;
    for (std::size_t i = 0; i < checked * quarters; i += quarters) {
        agreed += largest({&wanted[i], quarters}) == largest({&answers[i], quarters});
    }
    std::printf("teacher and student agree on %zu of %zu generated pictures\n", agreed, checked);
} catch (const dafl::Error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
