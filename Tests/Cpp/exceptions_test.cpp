// What callbacks throw arrives as it was thrown, and leaves handles that can be used.
#include "check.hpp"

#include <limits>
#include <thread>

namespace {

/// No std::exception, so that nothing but the very object can be what arrives.
struct Thrown {
    std::string from;
};

/// Who threw what arrived from `body`; "" when nothing did.
template <class Body> std::string thrown_by(Body body) {
    try {
        body();
    } catch (const Thrown &thrown) {
        return thrown.from;
    }
    return "";
}

/// Each of a teacher's functions throws when it is named, in each call of the library that may call it.
void test_teacher() {
    std::string name; // of who is to throw
    const auto may_throw = [&name](const char *own) { if (name == own) throw Thrown{own}; };
    dafl::Teacher teacher = quarters();
    teacher.forward = [=, honest = teacher.forward](std::size_t count, auto images, auto logits, auto features) {
        may_throw("forward");
        honest(count, images, logits, features);
    };
    teacher.backward = [=, honest = teacher.backward](std::size_t count, auto images, auto by_logits, auto by_features, auto out) {
        may_throw("backward");
        honest(count, images, by_logits, by_features, out);
    };
    teacher.regularizer = [=](std::size_t, auto, auto images_gradient) {
        may_throw("regularizer");
        std::fill(images_gradient.begin(), images_gradient.end(), 0.0f);
        return 1.0;
    };
    for (const char *own : {"forward", "backward", "regularizer"}) {
        name = own;
        CHECK(thrown_by([&] { dafl::Distillation::create(teacher, small_options()); }) == own);
        name = "";
        auto distillation = dafl::Distillation::create(teacher, small_options());
        name = own;
        CHECK(thrown_by([&] { distillation.step(); }) == own);
        CHECK(thrown_by([&] { distillation.run(); }) == own);
        if (name == "forward") CHECK(thrown_by([&] { distillation.generate(2); }) == own);
        name = "";
        CHECK(distillation.progress().step == 0);
        distillation.run();
        CHECK(distillation.progress().step == 4);
    }
}

void test_progress() {
    auto distillation = dafl::Distillation::create(quarters(), small_options());
    CHECK(thrown_by([&] { distillation.run([](const dafl::Progress &now) { if (now.step == 2) throw Thrown{"progress"}; }); })
          == "progress");
    CHECK(distillation.progress().step == 2);
    int calls = 0;
    distillation.run([&](const dafl::Progress &) { ++calls; });
    CHECK(calls == 2);
}

/// It returns nothing to C, so that what it throws waits for the next callback, or for the end.
void test_log() {
    bool throws = true;
    int queries = 0;
    auto options = small_options();
    options.log = [&](int, const char *) { if (throws) throw Thrown{"log"}; };
    dafl::Teacher teacher = quarters();
    teacher.forward = [&, honest = teacher.forward](std::size_t count, auto images, auto logits, auto features) {
        ++queries;
        honest(count, images, logits, features);
    };
    CHECK(thrown_by([&] { dafl::Distillation::create(teacher, options); }) == "log");
    const auto network = dafl::Network::create("mlp-64-8-4", 1);
    CHECK(thrown_by([&] { dafl::Distillation::create(network, options); }) == "log");

    throws = false;
    options.max_teacher_queries = 200;
    auto distillation = dafl::Distillation::create(teacher, options);
    throws = true;
    queries = 0;
    CHECK(thrown_by([&] { distillation.run(); }) == "log");
    CHECK(queries <= 200);
    throws = false;
    distillation.run();
}

void test_training() {
    auto network = dafl::Network::create("mlp-64-8-4", 1);
    const std::vector<float> images(40 * pixels, 0.5f);
    const std::vector<int64_t> labels(40, 1);
    dafl::TrainOptions options;
    options.epochs = 3;
    options.batch_size = 10;
    int steps = 0;
    options.on_step = [&](int64_t, int64_t of, double) { if (++steps == 6 && of == 12) throw Thrown{"step"}; };
    CHECK(thrown_by([&] { network.train(images, labels, options); }) == "step" && steps == 6);
    options.on_epoch = [](int64_t epoch, int64_t, double) { if (epoch == 2) throw Thrown{"epoch"}; };
    CHECK(thrown_by([&] { network.train(images, labels, options); }) == "epoch" && steps == 14);
    options.on_epoch = nullptr;
    network.train(images, labels, options);
    CHECK(network.evaluate(images, labels) == 1);
}

/// A callback may itself distil, whose exceptions are its own business.
void test_nesting() {
    bool inner = true;
    dafl::Teacher teacher = quarters();
    teacher.forward = [&, honest = teacher.forward](std::size_t count, auto images, auto logits, auto features) {
        dafl::Teacher thrower = quarters();
        thrower.forward = [](auto...) { throw Thrown{"inner"}; };
        CHECK(thrown_by([&] { dafl::Distillation::create(thrower, small_options()); }) == "inner");
        if (!inner) dafl::Distillation::create(thrower, small_options());
        honest(count, images, logits, features);
    };
    auto distillation = dafl::Distillation::create(teacher, small_options());
    CHECK(distillation.step().step == 1);
    inner = false;
    CHECK(thrown_by([&] { distillation.step(); }) == "inner");
}

/// Errors of the library: code, name and sentence; also when a callback's use of its own handle is the error.
void test_errors() {
    try {
        dafl::Network::load("/nowhere/at-all.safetensors");
        CHECK(false);
    } catch (const dafl::Error &error) {
        CHECK(error.code() == DAFL_ERROR_IO);
        CHECK(std::string(error.what()).find(dafl_status_name(DAFL_ERROR_IO) + std::string(": ")) == 0);
        CHECK(std::string(error.what()).find("at-all.safetensors") != std::string::npos);
    }
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, dafl::Network::create("no-such-network", 1));
    THROWS(DAFL_ERROR_FORMAT, dafl::Network::load_memory("nonsense", 8));
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, dafl::Distillation::create(dafl::Teacher{}, small_options()));
    auto options = small_options();
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, options.preset("none"));
    options.steps = -1;
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, dafl::Distillation::create(quarters(), options));

    dafl::Teacher liar = quarters();
    liar.forward = [](std::size_t, auto, auto logits, auto) { logits[0] = std::numeric_limits<float>::quiet_NaN(); };
    THROWS(DAFL_ERROR_TEACHER, dafl::Distillation::create(liar, small_options()));

    dafl::Distillation *own = nullptr;
    dafl::Teacher user = quarters();
    user.forward = [&, honest = user.forward](std::size_t count, auto images, auto logits, auto features) {
        if (own) own->student();
        honest(count, images, logits, features);
    };
    auto distillation = dafl::Distillation::create(user, small_options());
    own = &distillation;
    THROWS(DAFL_ERROR_BUSY, distillation.step());
    own = nullptr;
    distillation.cancel();
    THROWS(DAFL_CANCELLED, distillation.run());
    THROWS(DAFL_CANCELLED, distillation.run([&](const dafl::Progress &) { distillation.cancel(); }));
    CHECK(distillation.progress().step == 1);
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, distillation.generate(0));
    THROWS(DAFL_ERROR_OUT_OF_MEMORY, distillation.generate(std::numeric_limits<std::size_t>::max() / 8));
    distillation.run();
}

/// Each thread has its own exceptions.
void test_threads() {
    std::vector<std::thread> threads;
    std::vector<std::string> arrived(4);
    for (std::size_t i = 0; i < arrived.size(); ++i) {
        threads.emplace_back([&, i] {
            dafl::Teacher teacher = quarters();
            teacher.forward = [i](auto...) { throw Thrown{std::to_string(i)}; };
            arrived[i] = thrown_by([&] { dafl::Distillation::create(teacher, small_options()); });
        });
    }
    for (auto &thread : threads) thread.join();
    CHECK((arrived == std::vector<std::string>{"0", "1", "2", "3"}));
}

/// Functions of dafl.h with handles of dafl.hpp.
void test_with_c() {
    dafl::Teacher teacher = quarters();
    bool throws = false;
    teacher.forward = [&, honest = teacher.forward](std::size_t count, auto images, auto logits, auto features) {
        if (throws) throw Thrown{"forward"};
        honest(count, images, logits, features);
    };
    auto distillation = dafl::Distillation::create(teacher, small_options());
    throws = true;
    CHECK(thrown_by([&] { dafl::check(dafl_distillation_run(distillation.get(), nullptr, nullptr)); }) == "forward");
    throws = false;
    dafl::check(dafl_distillation_run(distillation.get(), nullptr, nullptr));
    dafl_network *student = nullptr;
    dafl::check(dafl_distillation_student(distillation.get(), &student));
    CHECK(dafl::Network(student).describe().outputs == static_cast<int64_t>(classes));
}

} // namespace

void test_exceptions() {
    test_teacher();
    test_progress();
    test_log();
    test_training();
    test_nesting();
    test_errors();
    test_threads();
    test_with_c();
}
