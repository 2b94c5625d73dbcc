// Lambdas as teachers: what they are handed, and how long they live.
#include "check.hpp"

#include <cstdio>
#include <vector>

static void test_spans() {
    bool fits = true;
    int regularized = 0;
    dafl::Teacher teacher = quarters();
    teacher.forward = [&, honest = teacher.forward](std::size_t count, auto images, auto logits, auto features) {
        fits = fits && images.size() == count * pixels && logits.size() == count * classes && features.size() == logits.size();
        honest(count, images, logits, features);
    };
    teacher.backward = [&, honest = teacher.backward](std::size_t count, auto images, auto by_logits, auto by_features, auto out) {
        fits = fits && images.size() == out.size() && by_logits.size() == count * classes && by_features.size() == by_logits.size();
        honest(count, images, by_logits, by_features, out);
    };
    teacher.regularizer = [&](std::size_t, auto images, auto images_gradient) { // half of the squares' sum
        ++regularized;
        double value = 0;
        for (std::size_t i = 0; i < images.size(); ++i) {
            value += 0.5 * static_cast<double>(images[i]) * static_cast<double>(images[i]);
            images_gradient[i] = images[i];
        }
        return value;
    };
    auto distillation = dafl::Distillation::create(teacher, small_options());
    std::vector<int64_t> steps;
    distillation.run([&](const dafl::Progress &progress) {
        steps.push_back(progress.step);
        CHECK(distillation.progress().step == progress.step); // it may look at itself
    });
    CHECK(fits && regularized > 0);
    CHECK((steps == std::vector<int64_t>{1, 2, 3, 4}));
    CHECK(distillation.progress().regularizer_loss > 0);

    const auto [images, logits] = distillation.generate(20);
    CHECK(images.size() == 20 * pixels && logits.size() == 20 * classes);
    CHECK(distillation.generate(3, false).logits.empty());
    CHECK(distillation.student().predict(images).size() == 20 * classes);
    CHECK(distillation.generator().describe().outputs == static_cast<int64_t>(pixels));
}

/// A teacher of one number, without features and backward; its images' logits are two all the same.
static void test_one_number() {
    dafl::Teacher teacher;
    teacher.input_shape = {1, 8, 8};
    teacher.classes = 1;
    bool fits = true;
    teacher.forward = [&](std::size_t count, dafl::Span<const float> images, dafl::Span<float> logits, dafl::Span<float> features) {
        fits = fits && features.empty() && logits.size() == count;
        for (std::size_t i = 0; i < count; ++i) logits[i] = images.subspan(i * pixels, pixels)[5] - images[i * pixels];
    };
    auto options = small_options();
    options.student = "auto";
    auto distillation = dafl::Distillation::create(teacher, options);
    distillation.run();
    CHECK(fits && distillation.generate(5).logits.size() == 5 * 2);
}

/// The distillation owns what its lambdas hold, wherever it moves, and no longer than it lives.
static void test_lifetime() {
    const auto scale = std::make_shared<float>(2.0f);
    const auto lines = std::make_shared<int>(0);
    std::optional<dafl::Distillation> moved;
    {
        dafl::Teacher teacher = quarters();
        teacher.features = 0;
        teacher.backward = nullptr;
        teacher.forward = [scale, honest = teacher.forward](std::size_t count, auto images, auto logits, auto) {
            std::vector<float> sums(count * classes);
            honest(count, images, logits, sums);
            for (float &logit : logits) logit *= *scale;
        };
        auto options = small_options();
        options.log = [lines](int level, std::string_view text) { *lines += level > 0 && !text.empty(); };
        moved = dafl::Distillation::create(std::move(teacher), std::move(options));
    }
    CHECK(scale.use_count() == 2 && lines.use_count() == 2);
    moved->run();
    CHECK(moved->progress().step == 4 && *lines > 0);
    moved.reset();
    CHECK(scale.use_count() == 1 && lines.use_count() == 1);
}

static void test_network_as_teacher() {
    auto network = dafl::Network::create("mlp-64-8-4", 1);
    dafl::DistillationOptions options = small_options();
    options.preset("paper");
    CHECK(options.batch_size == 512);
    options.batch_size = 16;
    options.replay_capacity = 0;
    options.student_network = network.get();
    auto distillation = dafl::Distillation::create(network, options);
    CHECK(distillation.step().step == 1);
    CHECK(distillation.generate(2).logits.size() == 2 * classes);
}

/// A run that was saved goes on as it would have, with a teacher of lambdas and with a network.
static void test_checkpoints() {
    const std::string path = "cpp_test.checkpoint";
    const auto network = dafl::Network::create("mlp-64-8-4", 1);
    for (const dafl::Teacher &teacher : {quarters(), dafl::Teacher(network)}) {
        auto whole = dafl::Distillation::create(teacher, small_options());
        whole.step();
        whole.save(path);
        const auto bytes = whole.save_memory();
        whole.run();
        auto from_file = dafl::Distillation::load(path, teacher, small_options());
        auto from_memory = dafl::Distillation::load_memory(bytes.data(), bytes.size(), teacher, small_options());
        const std::vector<float> images(pixels, 0.5f), answers = whole.student().predict(images);
        for (auto *rest : {&from_file, &from_memory}) {
            CHECK(rest->progress().step == 1);
            rest->run();
            CHECK(rest->student().predict(images) == answers);
        }
        THROWS(DAFL_ERROR_FORMAT, dafl::Distillation::load_memory("nonsense", 8, teacher));
    }
    std::remove(path.c_str());
}

void test_teachers() {
    test_checkpoints();
    test_spans();
    test_one_number();
    test_lifetime();
    test_network_as_teacher();
}
