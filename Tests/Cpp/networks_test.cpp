// Networks: files, tensors, and counts that follow from spans.
#include "check.hpp"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>

static void test_files() {
    const std::string path = "cpp_test.safetensors", onnx = "cpp_test.onnx";
    const auto network = dafl::Network::create("lenet5-half", 1);
    network.save(path);
    network.save_onnx(onnx, 1);
    const auto architecture = network.describe().architecture;
    CHECK(dafl::Network::load(path).describe().architecture == std::string_view(architecture));
    CHECK(dafl::Network::load_as(path, "lenet5-half").describe().parameters == 15738);
    CHECK(dafl::Network::load(onnx).describe().head == std::string_view("softmax"));

    dafl::LoadOptions options;
    options.architecture = "lenet5-half";
    CHECK(dafl::Network::load_with(path, options).graph() == network.graph());
    std::ifstream file(onnx, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    CHECK(dafl::Network::load_memory(bytes.data(), bytes.size()).describe().outputs == 10);
    std::remove(path.c_str());
    std::remove(onnx.c_str());
}

static void test_numbers() {
    auto network = dafl::Network::create("mlp-64-8-4", 1);
    network.set_threads(1);
    const dafl::Tensor weight = network.tensor_named("fc1.weight");
    CHECK(network.tensor(0).name == weight.name);
    CHECK((weight.shape == std::vector<int64_t>{8, 64}) && weight.data.size() == 8 * 64);
    network.set_tensor("fc1.weight", std::vector<float>(8 * 64, 0.25f));
    CHECK(*weight.data.begin() == 0.25f);

    const float images[3 * pixels] = {};
    const std::vector<int64_t> labels{0, 1, 2};
    CHECK(network.predict(images).size() == 3 * classes);
    CHECK(network.features(images).size() == 3 * 8);
    CHECK(network.fold().predict(images) == network.predict(images));
    CHECK(network.evaluate(images, labels) <= 1);
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, network.predict(dafl::Span(images, pixels + 1)));
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, network.predict({}));
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, network.evaluate(images, std::vector<int64_t>{0, 1}));
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, network.train(images, std::vector<int64_t>{0, 1, 2, 3}));
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, network.tensor(99));
    THROWS(DAFL_ERROR_UNSUPPORTED, dafl::Network::create("mlp-64-4", 1).features(images));
}

static void test_compression() {
    const auto network = dafl::Network::create("mlp-64-32-32-4", 1);
    dafl::CompressionOptions options;
    options.multiply_adds = 0.5;
    double last = -1;
    options.on_progress = [&](double done) { last = done; };
    const auto smaller = network.compress(options);
    CHECK(smaller.describe().multiply_adds <= network.describe().multiply_adds / 2);
    CHECK(last >= 0 && last <= 1);
    options.on_progress = [](double) { throw std::runtime_error("enough"); };
    bool thrown = false;
    try {
        network.compress(options);
    } catch (const std::runtime_error &error) {
        thrown = std::string(error.what()) == "enough";
    }
    CHECK(thrown);
    dafl::CompressionOptions few;
    few.prune = 0.9;
    few.bits = 3;
    const std::string path = "small.safetensors";
    const auto shared = network.compress(few);
    shared.save_compressed(path);
    const float images[2 * 64] = {1, 2, 3};
    CHECK(dafl::Network::load(path).predict(images) == shared.predict(images));
    std::remove(path.c_str());
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, network.compress({}));
}

void test_networks() {
    test_files();
    test_numbers();
    test_compression();
}
