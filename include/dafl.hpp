/*
 * libdafl for C++17: dafl.h with handles that free themselves, errors that are thrown, and callbacks that are any callable.
 *
 * dafl.h is the reference. A method here has the name of the function there that it calls, a struct has its fields; what
 * they do, shapes, units, ranges, statuses, how long pointers live and what threads may do is said there. Here is what
 * differs:
 *
 * Errors.     A status other than DAFL_OK is thrown, as an Error.
 * Callbacks.  Return nothing but what they compute; to stop the library's call, they throw. What they throw arrives, unchanged,
 *             at the caller of that call, and the handle can be used as after any error of a callback. No exception passes
 *             through C. Out of log, which cannot stop the library, it arrives when the call's next callback is due, or at the
 *             call's end.
 * Ownership.  A handle moves and does not copy. A distillation owns the teacher and the log that it was made with; what
 *             their lambdas refer to must outlive it, what several of them share is best held by a std::shared_ptr, and none
 *             of them may destroy it.
 * Counts.     They follow from the size of a Span, which any vector, array or std::span becomes.
 * Threads.    const methods may run on one handle at once; the others need it for themselves.
 * The C API.  get() gives the handle to functions of dafl.h; check() throws what comes back from them.
 */
#ifndef DAFL_HPP
#define DAFL_HPP

#include <dafl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace dafl {

// --------------------------------------------------------------------------------------------------- spans and errors

/// Numbers in a row that are somebody else's: std::span, for C++17 too.
template <class T> class Span {
public:
    constexpr Span() = default;
    constexpr Span(T *data, std::size_t size) : data_(data), size_(size) {}

    template <class Container,
              class = std::enable_if_t<std::is_convertible_v<decltype(std::data(std::declval<Container &>())), T *>>>
    constexpr Span(Container &&container) : Span(std::data(container), std::size(container)) {}

    constexpr T *data() const { return data_; }
    constexpr std::size_t size() const { return size_; }
    constexpr bool empty() const { return size_ == 0; }
    constexpr T *begin() const { return data_; }
    constexpr T *end() const { return data_ + size_; }
    constexpr T &operator[](std::size_t index) const { return data_[index]; }
    constexpr Span subspan(std::size_t start, std::size_t size) const { return {data_ + start, size}; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

/// A status that a function of the library returned; what() is its name and what dafl_last_error said.
class Error : public std::runtime_error {
public:
    Error(dafl_status code, const std::string &message)
        : std::runtime_error(dafl_status_name(code) + (": " + message)), code_(code) {}

    /// DAFL_ERROR_INVALID_ARGUMENT, DAFL_CANCELLED, ...
    dafl_status code() const noexcept { return code_; }

private:
    dafl_status code_;
};

namespace detail {

/// What a callback threw, on its way through C to the check() of the same thread.
inline thread_local std::exception_ptr thrown;

/// Runs what a callback does, for C: returns 0, or another number with the exception in `thrown`.
template <class Body> int guarded(Body body) noexcept {
    constexpr int stopped = 1;
    if (thrown) return stopped; // out of log, whose call went on
    try {
        body();
        return 0;
    } catch (...) {
        thrown = std::current_exception();
        return stopped;
    }
}

} // namespace detail

/// Throws what a callback threw in the call that returned `status`, or else the status, unless it is DAFL_OK.
inline void check(dafl_status status) {
    if (std::exception_ptr thrown = std::exchange(detail::thrown, nullptr)) std::rethrow_exception(std::move(thrown));
    if (status != DAFL_OK) throw Error(status, dafl_last_error());
}

namespace detail {

/// A struct of options that has its defaults from the start.
template <class Options, dafl_status (*init)(Options *, std::size_t)> struct Defaults : Options {
    Defaults() : Options() { check(init(this, sizeof(Options))); }
};

template <auto destroy> struct Destroy {
    template <class Object> void operator()(Object *object) const noexcept { destroy(object); }
};
template <class Object, void (*destroy)(Object *)> using Handle = std::unique_ptr<Object, Destroy<destroy>>;

/// The handle that `function` writes to its last parameter.
template <class Handle, class Function, class... Arguments> Handle made(Function function, Arguments... arguments) {
    typename Handle::pointer out = nullptr;
    const dafl_status status = function(arguments..., &out);
    Handle handle(out);
    check(status); // when log has thrown there are both, an exception and a handle
    return handle;
}

/// A struct for `function` to fill at its last parameter.
template <class Struct, class Function, class... Arguments> Struct filled(Function function, Arguments... arguments) {
    Struct out{};
    out.struct_size = sizeof out;
    check(function(arguments..., &out));
    return out;
}

template <class Shape> std::size_t product(const Shape &shape) {
    std::size_t numbers = 1;
    for (int64_t side : shape) numbers *= static_cast<std::size_t>(side);
    return numbers;
}

} // namespace detail

// ---------------------------------------------------------------------------------------------------------- networks

using NetworkInfo = dafl_network_info;
using LoadOptions = detail::Defaults<dafl_load_options, dafl_load_options_init>;

/// The fields of dafl_train_options; its callbacks are these.
struct TrainOptions : detail::Defaults<dafl_train_options, dafl_train_options_init> {
    std::function<void(int64_t epoch, int64_t epochs, double mean_loss)> on_epoch;
    std::function<void(int64_t step, int64_t steps, double loss)> on_step;
};

/// The fields of dafl_compression_options; its callback is this.
struct CompressionOptions : detail::Defaults<dafl_compression_options, dafl_compression_options_init> {
    std::function<void(double done)> on_progress;
};

/// dafl_tensor, whose name and numbers live as long as it says.
struct Tensor {
    std::string_view name;
    Span<const float> data;
    std::vector<int64_t> shape;
};

/// Owns a dafl_network.
class Network {
public:
    /// Takes over what a function of dafl.h has made.
    explicit Network(dafl_network *network) : Network(Handle(network)) {}

    static Network create(const std::string &architecture, uint64_t seed) {
        return made(dafl_network_create, architecture.c_str(), seed);
    }
    static Network load(const std::string &path) { return made(dafl_network_load, path.c_str()); }
    static Network load_as(const std::string &path, const std::string &architecture) {
        return made(dafl_network_load_as, path.c_str(), architecture.c_str());
    }
    static Network load_with(const std::string &path, const LoadOptions &options) {
        return made(dafl_network_load_with, path.c_str(), &options);
    }
    static Network load_memory(const void *data, std::size_t size, const LoadOptions &options = {}) {
        return made(dafl_network_load_memory, data, static_cast<int64_t>(size), &options);
    }

    void save(const std::string &path) const { check(dafl_network_save(get(), path.c_str())); }
    void save_onnx(const std::string &path, int64_t softmax = -1) const {
        check(dafl_network_save_onnx(get(), path.c_str(), softmax));
    }
    void save_compressed(const std::string &path) const { check(dafl_network_save_compressed(get(), path.c_str())); }
    Network fold() const { return made(dafl_network_fold, get()); }
    Network compress(CompressionOptions options) const {
        dafl_compression_options in_c = options;
        in_c.user_data = &options;
        in_c.on_progress = [](void *user_data, double done) {
            const auto &function = static_cast<CompressionOptions *>(user_data)->on_progress;
            return detail::guarded([&] { if (function) function(done); });
        };
        return made(dafl_network_compress, get(), &in_c);
    }

    NetworkInfo describe() const { return detail::filled<NetworkInfo>(dafl_network_describe, get()); }
    std::string graph() const {
        const char *text = nullptr;
        check(dafl_network_graph(get(), &text));
        return text;
    }
    Tensor tensor(int64_t index) const { return view(detail::filled<dafl_tensor>(dafl_network_tensor, get(), index)); }
    Tensor tensor_named(const std::string &name) const {
        return view(detail::filled<dafl_tensor>(dafl_network_tensor_named, get(), name.c_str()));
    }
    void set_tensor(const std::string &name, Span<const float> data) {
        check(dafl_network_set_tensor(get(), name.c_str(), data.data(), static_cast<int64_t>(data.size())));
    }
    void set_threads(int64_t threads) { check(dafl_network_set_threads(get(), threads)); }

    /// Returns outputs [count, outputs].
    std::vector<float> predict(Span<const float> images) const { return run(dafl_network_predict, images, outputs_); }

    /// Returns features [count, features].
    std::vector<float> features(Span<const float> images) const { return run(dafl_network_features, images, features_); }

    double evaluate(Span<const float> images, Span<const int64_t> labels) const {
        double share = 0;
        check(dafl_network_evaluate(get(), images.data(), labels.data(), count(images, labels), &share));
        return share;
    }
    void train(Span<const float> images, Span<const int64_t> labels, TrainOptions options = {}) {
        dafl_train_options in_c = options;
        in_c.user_data = &options;
        in_c.on_epoch = [](void *user_data, int64_t epoch, int64_t epochs, double mean_loss) {
            const auto &function = static_cast<TrainOptions *>(user_data)->on_epoch;
            return detail::guarded([&] { if (function) function(epoch, epochs, mean_loss); });
        };
        in_c.on_step = [](void *user_data, int64_t step, int64_t steps, double loss) {
            const auto &function = static_cast<TrainOptions *>(user_data)->on_step;
            return detail::guarded([&] { if (function) function(step, steps, loss); });
        };
        check(dafl_network_train(get(), images.data(), labels.data(), count(images, labels), &in_c));
    }

    /// NULL when it was moved from: every method then throws DAFL_ERROR_INVALID_ARGUMENT.
    dafl_network *get() const noexcept { return handle_.get(); }

private:
    friend class Distillation;
    using Handle = detail::Handle<dafl_network, dafl_network_destroy>;

    explicit Network(Handle handle) : handle_(std::move(handle)) {
        const NetworkInfo info = describe();
        inputs_ = detail::product(info.input_shape);
        outputs_ = static_cast<std::size_t>(info.outputs);
        features_ = static_cast<std::size_t>(info.features);
    }

    template <class Function, class... Arguments> static Network made(Function function, Arguments... arguments) {
        return Network(detail::made<Handle>(function, arguments...));
    }

    static Tensor view(const dafl_tensor &tensor) {
        return {tensor.name, {tensor.data, static_cast<std::size_t>(tensor.count)}, {tensor.shape, tensor.shape + tensor.rank}};
    }

    int64_t count(Span<const float> images) const {
        if (images.size() % inputs_ != 0) {
            throw Error(DAFL_ERROR_INVALID_ARGUMENT, "images are " + std::to_string(images.size()) +
                        " numbers, of which one image is " + std::to_string(inputs_));
        }
        return static_cast<int64_t>(images.size() / inputs_);
    }

    int64_t count(Span<const float> images, Span<const int64_t> labels) const {
        const int64_t count = this->count(images);
        if (static_cast<std::size_t>(count) != labels.size()) {
            throw Error(DAFL_ERROR_INVALID_ARGUMENT, "there are " + std::to_string(count) + " images and " +
                        std::to_string(labels.size()) + " labels");
        }
        return count;
    }

    template <class Function> std::vector<float> run(Function function, Span<const float> images, std::size_t width) const {
        const int64_t count = this->count(images);
        std::vector<float> rows(static_cast<std::size_t>(count) * width);
        rows.reserve(1); // not NULL for a network without features, so that this is what the error tells
        check(function(get(), images.data(), count, rows.data()));
        return rows;
    }

    Handle handle_;
    std::size_t inputs_ = 0, outputs_ = 0, features_ = 0; // numbers in a row of each
};

// ------------------------------------------------------------------------------------------------------ distillation

using Progress = dafl_progress;

/// dafl_teacher, with functions that are any callable. A Span that the teacher does not declare is empty.
struct Teacher {
    Teacher() = default;

    /// The network itself, which need not outlive the call that this is handed to.
    Teacher(const Network &teacher) : network(teacher.get()) {
        const NetworkInfo info = teacher.describe();
        std::copy(std::begin(info.input_shape), std::end(info.input_shape), input_shape.begin());
        classes = info.outputs;
    }

    std::array<int64_t, 3> input_shape{};
    int64_t classes = 0;
    int64_t features = 0;
    int64_t answers = DAFL_ANSWERS_AUTO;
    std::function<void(std::size_t count, Span<const float> images, Span<float> logits, Span<float> features)> forward{};
    std::function<void(std::size_t count, Span<const float> images, Span<const float> logits_gradient,
                       Span<const float> features_gradient, Span<float> images_gradient)> backward{};
    /// Returns R.
    std::function<double(std::size_t count, Span<const float> images, Span<float> images_gradient)> regularizer{};
    const dafl_network *network = nullptr;
};

namespace detail {

/// A batch that a callback of the teacher is called with, and its spans.
struct Batch {
    const Teacher &teacher;
    const std::size_t count;

    Batch(void *user_data, int64_t rows)
        : teacher(*static_cast<Teacher *>(user_data)), count(static_cast<std::size_t>(rows)) {}

    template <class T> Span<T> images(T *data) const { return {data, count * product(teacher.input_shape)}; }
    template <class T> Span<T> logits(T *data) const { return {data, count * static_cast<std::size_t>(teacher.classes)}; }
    template <class T> Span<T> features(T *data) const { return {data, count * static_cast<std::size_t>(teacher.features)}; }
};

/// `teacher` for C, which must stay where it is.
inline dafl_teacher in_c(Teacher &teacher) {
    dafl_teacher in_c{};
    check(dafl_teacher_init(&in_c, sizeof in_c));
    in_c.network = teacher.network;
    if (teacher.network) return in_c; // which has sizes of its own
    in_c.user_data = &teacher;
    std::copy(teacher.input_shape.begin(), teacher.input_shape.end(), in_c.input_shape);
    in_c.classes = teacher.classes;
    in_c.features = teacher.features;
    in_c.answers = teacher.answers;
    if (teacher.forward) {
        in_c.forward = [](void *user_data, int64_t rows, const float *images, float *logits, float *features) {
            const Batch batch(user_data, rows);
            return guarded([&] {
                batch.teacher.forward(batch.count, batch.images(images), batch.logits(logits), batch.features(features));
            });
        };
    }
    if (teacher.backward) {
        in_c.backward = [](void *user_data, int64_t rows, const float *images, const float *logits_gradient,
                           const float *features_gradient, float *images_gradient) {
            const Batch batch(user_data, rows);
            return guarded([&] {
                batch.teacher.backward(batch.count, batch.images(images), batch.logits(logits_gradient),
                                       batch.features(features_gradient), batch.images(images_gradient));
            });
        };
    }
    if (teacher.regularizer) {
        in_c.regularizer = [](void *user_data, int64_t rows, const float *images, double *value, float *images_gradient) {
            const Batch batch(user_data, rows);
            return guarded([&] {
                *value = batch.teacher.regularizer(batch.count, batch.images(images), batch.images(images_gradient));
            });
        };
    }
    return in_c;
}

} // namespace detail

/// The fields of dafl_distillation_options; its log is this.
struct DistillationOptions : detail::Defaults<dafl_distillation_options, dafl_distillation_options_init> {
    std::function<void(int level, const char *text)> log;

    void preset(const std::string &name) { check(dafl_distillation_options_preset(this, name.c_str())); }
};

/// Images [count, channels, height, width] and the teacher's logits for them.
struct Generated {
    std::vector<float> images, logits;
};

/// Owns a dafl_distillation, with its teacher's functions and its log.
class Distillation {
public:
    static Distillation create(Teacher teacher, DistillationOptions options = {}) {
        return Distillation(std::move(teacher), std::move(options), dafl_distillation_create);
    }

    static Distillation load(const std::string &path, Teacher teacher, DistillationOptions options = {}) {
        return Distillation(std::move(teacher), std::move(options), [&](auto... rest) {
            return dafl_distillation_load(path.c_str(), rest...);
        });
    }
    static Distillation load_memory(const void *data, std::size_t size, Teacher teacher, DistillationOptions options = {}) {
        return Distillation(std::move(teacher), std::move(options), [&](auto... rest) {
            return dafl_distillation_load_memory(data, static_cast<int64_t>(size), rest...);
        });
    }
    void save(const std::string &path) { check(dafl_distillation_save(get(), path.c_str())); }
    std::vector<unsigned char> save_memory() {
        int64_t size = 0;
        check(dafl_distillation_save_memory(get(), nullptr, 0, &size));
        std::vector<unsigned char> data(static_cast<std::size_t>(size));
        check(dafl_distillation_save_memory(get(), data.data(), size, &size));
        return data;
    }

    Progress step() { return detail::filled<Progress>(dafl_distillation_step, get()); }

    /// `progress` is called after each step.
    void run(std::function<void(const Progress &)> progress = {}) {
        const dafl_progress_fn call = [](void *user_data, const dafl_progress *now) {
            const auto &function = *static_cast<std::function<void(const Progress &)> *>(user_data);
            return detail::guarded([&] { if (function) function(*now); });
        };
        check(dafl_distillation_run(get(), call, &progress));
    }

    Progress progress() { return detail::filled<Progress>(dafl_distillation_progress, get()); }
    void cancel() const noexcept { dafl_distillation_cancel(get()); }

    /// Without `with_logits` there are none, and the teacher is spared the queries.
    Generated generate(std::size_t count, bool with_logits = true) {
        if (count > std::vector<float>().max_size() / (inputs_ + classes_)) {
            throw Error(DAFL_ERROR_OUT_OF_MEMORY, "count is " + std::to_string(count));
        }
        Generated made{std::vector<float>(count * inputs_), std::vector<float>(with_logits ? count * classes_ : 0)};
        check(dafl_distillation_generate(get(), static_cast<int64_t>(count), made.images.data(),
                                         with_logits ? made.logits.data() : nullptr));
        return made;
    }

    Network student() { return Network::made(dafl_distillation_student, get()); }
    Network generator() { return Network::made(dafl_distillation_generator, get()); }

    /// NULL when it was moved from: every method but cancel then throws DAFL_ERROR_INVALID_ARGUMENT.
    dafl_distillation *get() const noexcept { return state_ ? state_->handle.get() : nullptr; }

private:
    using Handle = detail::Handle<dafl_distillation, dafl_distillation_destroy>;

    /// What C has pointers to, in one place wherever the distillation moves. The handle goes first.
    struct State {
        Teacher teacher;
        std::function<void(int level, const char *text)> log;
        Handle handle;
    };

    /// `begin` is dafl_distillation_create, or takes the same.
    template <class Begin>
    Distillation(Teacher teacher, DistillationOptions options, Begin begin)
        : state_(new State{std::move(teacher), std::move(options.log), {}}),
          inputs_(detail::product(state_->teacher.input_shape)),
          classes_(static_cast<std::size_t>(std::max<int64_t>(state_->teacher.classes, 2))) {
        const dafl_teacher teacher_in_c = detail::in_c(state_->teacher);
        dafl_distillation_options options_in_c = options;
        options_in_c.log_user_data = &state_->log;
        if (state_->log) {
            options_in_c.log = [](void *user_data, int level, const char *text) {
                const auto &function = *static_cast<decltype(State::log) *>(user_data);
                detail::guarded([&] { function(level, text); });
            };
        }
        state_->handle = detail::made<Handle>(begin, &teacher_in_c, &options_in_c);
    }

    std::unique_ptr<State> state_;
    std::size_t inputs_, classes_; // numbers in an image, and in the logits of one
};

} // namespace dafl

#endif // DAFL_HPP
