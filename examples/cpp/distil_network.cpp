/*
 * Distils the network of a file into one of half its width, without a single training image.
 *
 *     ./distil_network teacher.onnx student.onnx [steps]
 *
 * Either file may be one of safetensors too.
 */
#include <dafl.hpp>

#include <cstdio>
#include <cstdlib>

int main(int argc, char **argv) try {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s teacher.onnx student.onnx [steps]\n", argv[0]);
        return 2;
    }
    const auto teacher = dafl::Network::load(argv[1]);

    dafl::DistillationOptions options;
    options.student = "half"; // or "width=0.25,depth=0.5", or a name such as "resnet8"
    if (argc > 3) options.steps = std::atoll(argv[3]);

    auto distillation = dafl::Distillation::create(teacher, options);
    distillation.run([](const dafl::Progress &now) {
        if (now.step % 50 != 0 && now.step != now.steps) return;
        std::printf("step %lld of %lld, distillation loss %.4f, agreement %.1f %%, %.0f s left\n",
                    static_cast<long long>(now.step), static_cast<long long>(now.steps), now.distillation_loss,
                    100 * now.agreement, now.seconds_left);
        std::fflush(stdout);
    });

    const auto student = distillation.student();
    student.save(argv[2]);
    std::printf("%lld parameters -> %lld, in %s\n", static_cast<long long>(teacher.describe().parameters),
                static_cast<long long>(student.describe().parameters), argv[2]);
} catch (const dafl::Error &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
