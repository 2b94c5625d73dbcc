// What dafl.hpp promises to C++ programs. Prints every promise that does not hold, then "N passed, M failed".
#include "check.hpp"

#include <cstdio>

static int passed, failed;

void check_that(bool holds, const char *file, int line, const char *what) {
    ++(holds ? passed : failed);
    if (!holds) std::printf("%s:%d: does not hold: %s\n", file, line, what);
}

static std::size_t quarter_of(std::size_t pixel) { return 2 * (pixel / 32) + pixel % 8 / 4; }

dafl::Teacher quarters() {
    dafl::Teacher teacher;
    teacher.input_shape = {1, 8, 8};
    teacher.classes = classes;
    teacher.features = classes;
    teacher.forward = [](std::size_t count, auto images, auto logits, auto features) {
        std::fill(features.begin(), features.end(), 0.0f);
        for (std::size_t i = 0; i < count * pixels; ++i) {
            features[i / pixels * classes + quarter_of(i % pixels)] += images[i];
        }
        for (std::size_t i = 0; i < count * classes; ++i) logits[i] = 2 * features[i];
    };
    teacher.backward = [](std::size_t count, auto, auto logits_gradient, auto features_gradient, auto images_gradient) {
        for (std::size_t i = 0; i < count * pixels; ++i) {
            const std::size_t number = i / pixels * classes + quarter_of(i % pixels);
            images_gradient[i] = 2 * logits_gradient[number] + features_gradient[number];
        }
    };
    return teacher;
}

dafl::DistillationOptions small_options() {
    dafl::DistillationOptions options;
    options.student = "mlp-64-8-4";
    options.threads = 1;
    options.steps = 4;
    options.batch_size = 16;
    options.student_steps = 2;
    options.replay_capacity = 64;
    options.generator_width = 8;
    options.latent_size = 8;
    options.image_source = "generator";
    return options;
}

int main() {
    test_teachers();
    test_exceptions();
    test_handles();
    test_networks();
    std::printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
