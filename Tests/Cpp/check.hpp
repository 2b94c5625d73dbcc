// Counts what holds and what does not, and says only the latter; and a teacher for several tests.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <dafl.hpp>

#include <optional>

void check_that(bool holds, const char *file, int line, const char *what);

/// The condition holds.
#define CHECK(condition) check_that(condition, __FILE__, __LINE__, #condition)

/// The statement throws a dafl::Error with this code.
#define THROWS(status, ...) \
    check_that(code_of([&] { __VA_ARGS__; }) == std::optional<dafl_status>(status), __FILE__, __LINE__, #status ": " #__VA_ARGS__)

template <class Body> std::optional<dafl_status> code_of(Body body) {
    try {
        body();
    } catch (const dafl::Error &error) {
        return error.code();
    }
    return std::nullopt;
}

constexpr std::size_t pixels = 64, classes = 4;

/// Tells which quarter of an 8x8 picture is the brightest: features = the quarters' sums, logits = twice those.
dafl::Teacher quarters();

/// Of a distillation so small that it takes no time.
dafl::DistillationOptions small_options();

// One function for each test file.
void test_teachers();
void test_exceptions();
void test_handles();
void test_networks();

#endif
