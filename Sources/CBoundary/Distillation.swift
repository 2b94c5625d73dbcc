import CDafl
import Checkpoints
import Distillation
import Networks
import Numerics
import Training

public typealias DistillationHandle = OpaquePointer

/// Fills with zeros, all but struct_size, and answers, which becomes DAFL_ANSWERS_AUTO.
///
/// - Parameter struct_size: sizeof the caller's struct.
@c @implementation
public func dafl_teacher_init(_ teacher: UnsafeMutablePointer<dafl_teacher>?, _ struct_size: Int) -> dafl_status {
    answering {
        try SizedStruct.initialise(teacher, "teacher", size: struct_size, .defaults)
    }
}

/// Fills in the "fast" preset and the other defaults.
///
/// - Parameter struct_size: sizeof the caller's struct.
@c @implementation
public func dafl_distillation_options_init(
    _ options: UnsafeMutablePointer<dafl_distillation_options>?, _ struct_size: Int
) -> dafl_status {
    answering {
        try SizedStruct.initialise(options, "options", size: struct_size, .defaults)
    }
}

/// Sets the options that presets have values of their own for, those with two values in the struct's comments, to a preset's.
/// All others stay as they are.
///
/// - Parameter options: initialised before with `dafl_distillation_options_init`.
/// - Parameter preset: "fast", the default: drawn pictures and a narrow generator, made anew now and then, whose images are kept
///   and seen by the student many times. "paper": what the authors did on MNIST, both networks on one batch at a time; hours on a
///   processor.
/// - Returns: DAFL_ERROR_INVALID_ARGUMENT for another name.
@c @implementation
public func dafl_distillation_options_preset(
    _ options: UnsafeMutablePointer<dafl_distillation_options>?, _ preset: UnsafePointer<CChar>?
) -> dafl_status {
    answering {
        var c = try SizedStruct.read(options, "options")
        let preset: Preset = try Option<DistillationOptions>.choice("preset", requireText(preset, "preset"))
        OptionFields.write(preset.options, to: &c, onlyPresets: true)
        try SizedStruct.fill(options, "options", c)
    }
}

/// Begins a distillation of a teacher that the host supplies as callbacks.
///
/// First sees what the teacher is like: queries it about a batch of 32 images of noise twice and about each half of it, so that
/// answers that are probabilities are taken for such and one that returns something else for the same images is refused, with
/// the cause; where one class for all of them lets doubt the units of its inputs, the log says so. Then, when the generator is
/// to learn from the teacher's backward or regularizer, compares each with finite differences on 8 images of noise. All these
/// count as queries but the regularizer's. Where max_teacher_queries is below 1,000, the first part is 8 images, and nothing
/// where the teacher says what its answers are.
///
/// - Parameter teacher: copied; its callbacks and user_data must stay valid until the distillation is destroyed.
/// - Parameter options: copied.
/// - Parameter out: the distillation, to be destroyed with `dafl_distillation_destroy`; NULL on failure.
/// - Returns: DAFL_ERROR_INVALID_ARGUMENT for an option out of range or a student whose input or classes are not the
///   teacher's; DAFL_ERROR_UNSUPPORTED for the generator "convolution" and a teacher whose input is a vector that is no square
///   image; DAFL_ERROR_TEACHER when it returns numbers that are not finite, not the same ones twice, or a gradient that is
///   wrong, told in numbers; DAFL_QUERIES_SPENT when that is more than max_teacher_queries allow; DAFL_ERROR_OUT_OF_MEMORY,
///   with the option to lower; or what a callback returned.
@c @implementation
public func dafl_distillation_create(
    _ teacher: UnsafePointer<dafl_teacher>?, _ options: UnsafePointer<dafl_distillation_options>?,
    _ out: UnsafeMutablePointer<DistillationHandle?>?
) -> dafl_status {
    answering {
        let out = try require(out, "out")
        out.pointee = nil
        let options = try SizedStruct.read(options, "options")
        out.pointee = makeHandle(
            try options.orTold { try DistillationObject(GivenTeacher(SizedStruct.read(teacher, "teacher")), options) })
    }
}

/// Begins a distillation of a network of this library, whose gradients need no comparison.
///
/// - Parameter teacher: copied; it may be changed or destroyed afterwards.
/// - Parameter options: copied.
/// - Parameter out: the distillation, to be destroyed with `dafl_distillation_destroy`; NULL on failure.
/// - Returns: as `dafl_distillation_create`.
@c @implementation
public func dafl_distillation_create_from_network(
    _ teacher: NetworkHandle?, _ options: UnsafePointer<dafl_distillation_options>?,
    _ out: UnsafeMutablePointer<DistillationHandle?>?
) -> dafl_status {
    answering {
        let out = try require(out, "out")
        out.pointee = nil
        let options = try SizedStruct.read(options, "options")
        out.pointee = makeHandle(try options.orTold { try DistillationObject(GivenTeacher(teacher), options) })
    }
}

/// Does one step: that which makes images, and the student's that go with it. For hosts that own the loop; the options' steps
/// are a plan for the student's schedule, not a bound.
///
/// - Parameter out: where the distillation stands after it; its struct_size must be set before. May be NULL.
/// - Returns: DAFL_CANCELLED; DAFL_ERROR_RANK where another rank failed or was stopped; DAFL_ERROR_TEACHER when the teacher
///   returns numbers that are not finite; or what a callback returned. Then all is as it was before the step, and the next call
///   does it anew, to the same bytes.
///   DAFL_ERROR_DIVERGED when the generator or the student has been driven to numbers that are not finite: later calls
///   return the same, and only a new distillation, with smaller learning rates, helps. DAFL_QUERIES_SPENT when
///   max_teacher_queries would be passed: what was learned in the part of the step until then stays.
@c @implementation
public func dafl_distillation_step(
    _ distillation: DistillationHandle?, _ out: UnsafeMutablePointer<dafl_progress>?
) -> dafl_status {
    answering {
        try using(distillation, "distillation", as: DistillationObject.self) { object in
            // An `out` that cannot be filled must be found before the step is done.
            if out != nil { try SizedStruct.fill(out, "out", object.distillation.progress.inC) }
            try object.distillation.cancellation.heeding { try object.step() }
            if out != nil { try SizedStruct.fill(out, "out", object.distillation.progress.inC) }
        }
    }
}

/// Does the steps still to do, or as many as max_teacher_queries and patience allow; to have used those up is a good end.
///
/// - Parameter progress: called after each; may be NULL. It may use this handle, on the thread that it is called on, for
///   `dafl_distillation_progress`, `dafl_distillation_student`, `dafl_distillation_generator`, `dafl_distillation_save`,
///   `dafl_distillation_save_memory` and `dafl_distillation_generate`, which change nothing of what follows.
/// - Parameter user_data: handed to progress.
/// - Returns: as `dafl_distillation_step`, or what progress returned. Another call goes on from there.
@c @implementation
public func dafl_distillation_run(
    _ distillation: DistillationHandle?, _ progress: dafl_progress_fn?, _ user_data: UnsafeMutableRawPointer?
) -> dafl_status {
    answering {
        try using(distillation, "distillation", as: DistillationObject.self) { object in
            try object.distillation.cancellation.heeding {
                try object.run {
                    guard let progress else { return }
                    let code = withUnsafePointer(to: object.distillation.progress.inC) { now in
                        FloatingPoint.ofTheHost { progress(user_data, now) }
                    }
                    guard code == 0 else { throw CallbackStop(code: code, callback: "progress") }
                }
            }
        }
    }
}

/// Tells where a distillation stands: after its last whole step, with all that the teacher was queried until now.
///
/// - Parameter out: filled; its struct_size must be set before.
@c @implementation
public func dafl_distillation_progress(
    _ distillation: DistillationHandle?, _ out: UnsafeMutablePointer<dafl_progress>?
) -> dafl_status {
    answering {
        try using(distillation, "distillation", as: DistillationObject.self, .exclusiveOrLent) { object in
            try SizedStruct.fill(out, "out", object.distillation.progress.inC)
        }
    }
}

/// Writes all that the steps to come depend on to a file, a checkpoint: it appears whole, in place of one that was there, or not at
/// all. A run that goes on from it does the same, to the same bytes. The option `checkpoint` does this by itself. The file is in the
/// safetensors format; beside the student it has the images of the replay bank and the options.
///
/// - Parameter path: of the file.
/// - Returns: DAFL_ERROR_IO; then what was under the name stays.
@c @implementation
public func dafl_distillation_save(
    _ distillation: DistillationHandle?, _ path: UnsafePointer<CChar>?
) -> dafl_status {
    answering {
        try using(distillation, "distillation", as: DistillationObject.self, .exclusiveOrLent) { object in
            try object.distillation.save(path: requirePath(path, "path"))
        }
    }
}

/// The same to memory.
///
/// - Parameter data: what is written; may be NULL, to learn the size.
/// - Parameter capacity: how many bytes there is room for; 0 with NULL.
/// - Parameter size: how many the checkpoint takes; written. It grows while the replay bank fills.
/// - Returns: DAFL_ERROR_INVALID_ARGUMENT when there is data and its capacity is too small: what it holds then is no checkpoint.
@c @implementation
public func dafl_distillation_save_memory(
    _ distillation: DistillationHandle?, _ data: UnsafeMutableRawPointer?, _ capacity: Int64, _ size: UnsafeMutablePointer<Int64>?
) -> dafl_status {
    answering {
        try using(distillation, "distillation", as: DistillationObject.self, .exclusiveOrLent) { object in
            let size = try require(size, "size")
            let room = try requireWhole(capacity, "capacity", data == nil ? 0...0 : 0...Int.max)
            let taken = try object.distillation.save(to: UnsafeMutableRawBufferPointer(start: data, count: room))
            size.pointee = Int64(taken)
            guard data == nil || taken <= room else {
                throw DaflError.invalid("capacity", capacity, "at least \(taken)")
            }
        }
    }
}

/// Goes on with a run from a file that `dafl_distillation_save` or the option `checkpoint` wrote. The teacher is not examined again.
///
/// - Parameter path: of the file.
/// - Parameter teacher: given anew, of the same shapes and kind; a network of the same weights. That callbacks return what they
///   returned before, nobody checks. Copied, as by `dafl_distillation_create`.
/// - Parameter options: may be NULL, for those of the run, without a log and without automatic checkpoints. Else copied: of them
///   are used what a file cannot hold, `log`, `checkpoint`, and `images`, `labels` and the metadata, of which those of the run are
///   needed; and, where they are not the defaults, `threads`, `instruction_set`, `patience`, `checkpoint_seconds` and
///   `checkpoint_steps`. `input_mean` and `input_deviation` may be left out.
/// - Parameter out: the distillation, to be destroyed with `dafl_distillation_destroy`; NULL on failure.
/// - Returns: DAFL_ERROR_IO; DAFL_ERROR_FORMAT for a file that is no checkpoint or is damaged; DAFL_ERROR_UNSUPPORTED for one of
///   another version of the library; DAFL_ERROR_INVALID_ARGUMENT for another teacher or other images; DAFL_ERROR_OUT_OF_MEMORY.
@c @implementation
public func dafl_distillation_load(
    _ path: UnsafePointer<CChar>?, _ teacher: UnsafePointer<dafl_teacher>?,
    _ options: UnsafePointer<dafl_distillation_options>?, _ out: UnsafeMutablePointer<DistillationHandle?>?
) -> dafl_status {
    answering {
        try load(teacher, options, out) { try Checkpoint(path: requirePath(path, "path")) }
    }
}

/// The same from memory.
///
/// - Parameter data: what `dafl_distillation_save_memory` wrote, needed no longer than the call.
/// - Parameter size: how many bytes.
/// - Parameter teacher: as of `dafl_distillation_load`.
/// - Parameter options: as of `dafl_distillation_load`.
/// - Parameter out: the distillation, to be destroyed with `dafl_distillation_destroy`; NULL on failure.
/// - Returns: as `dafl_distillation_load`.
@c @implementation
public func dafl_distillation_load_memory(
    _ data: UnsafeRawPointer?, _ size: Int64, _ teacher: UnsafePointer<dafl_teacher>?,
    _ options: UnsafePointer<dafl_distillation_options>?, _ out: UnsafeMutablePointer<DistillationHandle?>?
) -> dafl_status {
    answering {
        try load(teacher, options, out) {
            try Checkpoint(
                borrowing: UnsafeRawBufferPointer(
                    start: require(data, "data"), count: requireWhole(size, "size", 1...Int.max)))
        }
    }
}

private func load(
    _ teacher: UnsafePointer<dafl_teacher>?, _ options: UnsafePointer<dafl_distillation_options>?,
    _ out: UnsafeMutablePointer<DistillationHandle?>?, _ checkpoint: () throws -> Checkpoint
) throws {
    let out = try require(out, "out")
    out.pointee = nil
    let teacher = try GivenTeacher(SizedStruct.read(teacher, "teacher"))
    let options = try options.map { try SizedStruct.read($0, "options") }
    out.pointee = makeHandle(try DistillationObject(teacher, options, from: checkpoint()))
}

/// Stops the run, step or generate at work, soon and at the latest before its next query: it returns DAFL_CANCELLED, and another
/// goes on. When none is at work, the next one is stopped before it begins. Any thread, also within a callback, but no longer
/// than the distillation lives: whoever destroys it must know that no other thread is about to cancel it. NULL is allowed.
@c @implementation
public func dafl_distillation_cancel(_ distillation: DistillationHandle?) {
    guard let distillation else { return }
    sharedObject(distillation, as: DistillationObject.self).distillation.cancellation.cancel()
}

/// Makes images as they are made now, to look at or to measure with, in the teacher's own units. Does not change what later
/// steps do, except that the queries count towards max_teacher_queries.
///
/// - Parameter count: how many, at least 1.
/// - Parameter images: images [count, channels, height, width]; written.
/// - Parameter logits: the teacher's logits [count, classes] for them, [count, 2] where it gives one number; written. May be
///   NULL: the teacher is then queried only if the images need it, those of source "metadata".
/// - Returns: DAFL_ERROR_TEACHER, DAFL_ERROR_DIVERGED, DAFL_CANCELLED, DAFL_QUERIES_SPENT, or what a callback returned.
@c @implementation
public func dafl_distillation_generate(
    _ distillation: DistillationHandle?, _ count: Int64, _ images: UnsafeMutablePointer<Float>?,
    _ logits: UnsafeMutablePointer<Float>?
) -> dafl_status {
    answering {
        try using(distillation, "distillation", as: DistillationObject.self, .exclusiveOrLent) { object in
            let distillation = object.distillation
            let count = try requireRows(count, of: distillation.student.inputShape.count)
            let images = try require(images, "images")
            func generate() throws { try distillation.generate(count: count, images: images, logits: logits) }
            // Within a run's progress callback a wish to stop is the run's, and must not be fulfilled here.
            if object.isLent { try generate() } else { try distillation.cancellation.heeding(generate) }
        }
    }
}

/// Copies the student of this run, until now, that agreed best with the teacher on held-out images, those of every 25th
/// step, from which no student learns; before them, and with image_source "data", the student as it is. It takes its inputs
/// in the teacher's own units: where the options say what they are, a first layer standardises them, and its architecture
/// has "units=" with the number of means and deviations.
///
/// - Parameter out: the copy, to be destroyed with `dafl_network_destroy`; NULL on failure.
/// - Returns: DAFL_ERROR_DIVERGED when there is none whose weights are finite.
@c @implementation
public func dafl_distillation_student(
    _ distillation: DistillationHandle?, _ out: UnsafeMutablePointer<NetworkHandle?>?
) -> dafl_status {
    answering {
        try handOut(distillation, out) { try $0.selectedStudent() }
    }
}

/// Copies the generator as it is now: a network from latent vectors [count, latent_size], standard normal numbers, to images in
/// the teacher's own units. Its batch normalisation has the statistics of the images that it makes now.
///
/// - Parameter out: the copy, to be destroyed with `dafl_network_destroy`; NULL on failure.
/// - Returns: DAFL_ERROR_UNSUPPORTED when no generator has made images, as in the first 41 steps of image_source "auto", or
///   where queries are few.
@c @implementation
public func dafl_distillation_generator(
    _ distillation: DistillationHandle?, _ out: UnsafeMutablePointer<NetworkHandle?>?
) -> dafl_status {
    answering {
        try handOut(distillation, out) { distillation in
            guard let generator = try distillation.exportedGenerator() else {
                throw DaflError(
                    .unsupported,
                    "no generator has made images in this run; with image_source \"generator\" one does from the first step")
            }
            return generator
        }
    }
}

private func handOut(
    _ handle: DistillationHandle?, _ out: UnsafeMutablePointer<NetworkHandle?>?,
    _ network: (Distillation) throws -> Networks.Network
) throws {
    let out = try require(out, "out")
    out.pointee = nil
    try using(handle, "distillation", as: DistillationObject.self, .exclusiveOrLent) { object in
        out.pointee = makeHandle(NetworkObject(try network(object.distillation)))
    }
}

/// Frees a distillation. A call at work on it in this thread's callers ends in peace; no other thread may be using it. NULL is
/// allowed.
@c @implementation
public func dafl_distillation_destroy(_ distillation: DistillationHandle?) {
    destroyHandle(distillation)
}
