// Handles move, do not copy, and what was moved from says so.
#include "check.hpp"

#include <type_traits>

template <class Handle> constexpr bool moves_only =
    std::is_nothrow_move_constructible_v<Handle> && std::is_nothrow_move_assignable_v<Handle> &&
    !std::is_copy_constructible_v<Handle> && !std::is_copy_assignable_v<Handle>;
static_assert(moves_only<dafl::Network> && moves_only<dafl::Distillation>);

// Spans gain const and never lose it.
static_assert(std::is_constructible_v<dafl::Span<const float>, dafl::Span<float>>);
static_assert(!std::is_constructible_v<dafl::Span<float>, dafl::Span<const float>>);
static_assert(!std::is_constructible_v<dafl::Span<float>, const std::vector<float> &>);
static_assert(!std::is_constructible_v<dafl::Span<const float>, std::vector<double>>);

void test_handles() {
    auto first = dafl::Network::create("mlp-64-8-4", 1);
    dafl_network *handle = first.get();
    dafl::Network second = std::move(first);
    CHECK(first.get() == nullptr && second.get() == handle);
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, first.describe());
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, first.predict(std::vector<float>(pixels)));
    first = dafl::Network::create("mlp-64-4", 1);
    second = std::move(first); // frees what it had
    CHECK(second.describe().tensors == 2);
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, dafl::Network(nullptr));

    auto distillation = dafl::Distillation::create(quarters(), small_options());
    distillation.step();
    dafl::Distillation other = std::move(distillation);
    CHECK(distillation.get() == nullptr && other.progress().step == 1);
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, distillation.step());
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, distillation.generate(1));
    THROWS(DAFL_ERROR_INVALID_ARGUMENT, distillation.student());
    distillation.cancel();
    other = dafl::Distillation::create(quarters(), small_options());
    CHECK(other.progress().step == 0);
    other.run();

#ifdef __cpp_lib_span
    std::vector<float> numbers(pixels);
    const std::span<const float> theirs(numbers);
    const dafl::Span<const float> ours = theirs;
    CHECK(std::span(ours).data() == numbers.data() && second.predict(theirs).size() == classes);
#endif
}
