import Training

extension DistillationOptions: OptionTable {
    /// In the order of `dafl_distillation_options`, whose end is the place for new ones. Where there are two values, they are
    /// those of the presets fast and paper. The comments are those of the C header and of the Python package too.
    package static var table: [Option<DistillationOptions>] {
        [
            /// From the teacher's inputs to its classes. An architecture, as "lenet5-half"; a description in JSON; the path of a
            /// file with one (.json), or with a network (.safetensors, .onnx), whose weights it starts with; "half", or
            /// "width=0.25,depth=0.5": the teacher's own graph with a share of its channels and of its repeated blocks; "small": a
            /// convolutional network or perceptron that fits the teacher's inputs. "auto": half of a network's, and "small" for
            /// teachers whose graph nobody knows.
            .text("student", \.student, "auto"),
            /// Of everything random.
            .unsigned("seed", \.seed, 0),
            /// 0: as many as the processors that this process may use, by affinity and by its control group's quota.
            .whole("threads", \.threads, 0...1024, 0),
            /// "baseline", "avx2" or "avx512", if the processor has it. "auto": the best it has, or the one that the
            /// environment variable DAFL_INSTRUCTION_SET names.
            .text("instruction_set", \.instructionSet, "auto"),
            /// "fast": Winograd's algorithm where it pays. "direct": as convolution is defined, for comparisons to the last
            /// digits.
            .choice("convolution", \.convolution, ConvolutionKind.self, .fast),
            /// Steps of the run, each of which makes a batch of images. More teach more, at a price that grows with them.
            .whole("steps", \.steps, 1...Int.max, 3600, 24_000),
            /// Images a step of the generator or the student.
            .whole("batch_size", \.batchSize, 1...1 << 30, 128, 512),
            /// Student steps to each step of the run. Every 25th batch is held out to compare students; without a replay bank
            /// there are none in that step, or where generated images are left out.
            .whole("student_steps", \.studentSteps, 0...1 << 30, 10, 1),
            /// Images kept, with the teacher's logits, for the student to learn from; 0: it learns from the
            /// generator's own batch, as in the paper; else at least batch_size. -1: 409,600, or as many as half of the memory
            /// that the process may still take has room for, which the log then tells. An image takes a byte a pixel and four a
            /// class, 0.4 GB for 409,600 of 32 x 32; a pixel comes back within 1/510 of its image's span.
            .whole("replay_capacity", \.replayCapacity, -1...1 << 30, -1, 0),
            /// A fresh generator every so many of its steps, for more variety; 0: one for the run.
            .whole("restart_steps", \.restartSteps, 0...Int.max, 60, 0),
            /// What makes the teacher's inputs. "convolution": for images, and for vectors that are a square image of one
            /// channel. "perceptron": for anything. "auto": the convolution for images, and for vectors that are a square image
            /// with a side from 16 up and divisible by 4, such as 784 = 28 x 28; the perceptron for others.
            .choice("generator", \.generator, GeneratorKind.self, .auto, .auto),
            /// Channels of the convolution's widest layers, and an eighth of the perceptron's hidden units.
            .whole("generator_width", \.generatorWidth, 2...4096, 16, 128),
            /// Length of the generator's noise vector.
            .whole("latent_size", \.latentSize, 1...1 << 20, 100, 100),
            /// Of L_oh in the generator's loss L_G.
            .real("one_hot_weight", \.lossWeights.oneHot, -1e6...1e6, 1, 1),
            /// Of L_a in L_G.
            .real("activation_weight", \.lossWeights.activation, -1e6...1e6, 0.1, 0.1),
            /// Of L_ie in L_G.
            .real("entropy_weight", \.lossWeights.entropy, -1e6...1e6, 5, 5),
            /// Of R in L_G, for a teacher with a regularizer, and for networks of the library with batch normalisation, whose R
            /// compares statistics (DeepInversion, Yin et al., CVPR 2020, equation 4).
            .real("regularizer_weight", \.lossWeights.regularizer, -1e6...1e6, 1, 0),
            /// T of L_KD.
            .real("temperature", \.temperature, 1e-3...1e3, 1, 1),
            /// Adam's, for the generator.
            .real("generator_learning_rate", \.generatorLearningRate, 0...1e6, 0.2, 0.2),
            /// Adam's, for the student, at the start of its schedule.
            .real("student_learning_rate", \.studentLearningRate, 0...1e6, 2e-3, 2e-3),
            /// Of the student's learning rate. "cosine": to zero over the run. "step": a tenth from the middle of it, a
            /// hundredth from three quarters.
            .choice("student_schedule", \.studentSchedule, Schedule.self, .cosine, .constant),
            /// Strength of the random shifts, turns, scalings, shears and smoothing of replayed images, of which some become
            /// their negatives where all come from a generator; the teacher is queried again about them. Vectors that `generator` does not take for
            /// images, and images with a side below 4, are left alone.
            .real("augmentation", \.augmentation, 0...10, 1, 0),
            /// Where the images come from. "generator": it learns to make them. "procedural": drawn strokes and shapes, with several
            /// channels also leaves and noise, of which the teacher is sure; it is queried about sixteen for each that is kept, or as
            /// many as max_teacher_queries allows over the steps, and for no gradients. It takes images with sides from 4 up, and
            /// vectors that `generator` takes for such. "auto": drawn pictures and generated images by turns, of the latter those
            /// batches in which the student knows the teacher's classes again; the generator alone where nothing can be drawn, pictures
            /// alone where queries are few. Both are, for a student that learns what its teacher's layers make of images
            /// (student_start), drawn scenes, of which half are moved a little towards classes by the teacher's gradients. The others
            /// are for comparison, and for who has data. "noise": standard normal images. "data": the option `images`. "metadata":
            /// images from what was noted of the teacher's features.
            .choice("image_source", \.imageSource, ImageSourceKind.self, .auto, .generator),
            /// Whose gradients lead from the teacher's answers back to the images. "teacher". "student": it comes to approximate
            /// the teacher. "auto": the teacher's if it has backward, else the student's. "differences": finite differences of
            /// the teacher's answers, which must not be labels, in random directions.
            .choice("gradients", \.gradients, GradientKind.self, .auto, .auto),
            /// Of "differences", an image and generator step, each a further query.
            .whole("difference_directions", \.differenceDirections, 1...1024, 1, 1),
            /// Images that the teacher may be queried about, whatever the steps; 0: as many as it takes. Creating a distillation
            /// queries about 96 to see what the teacher is like, or 8 where this is below 1,000, and 80 where it compares gradients.
            .whole("max_teacher_queries", \.maxTeacherQueries, 0...Int.max, 0, 0),
            /// Of image_source "data": [image_count, channels, height, width], in the teacher's own units. Borrowed, as labels and
            /// metadata are: they must stay as they are until the distillation is destroyed. Arrays that image_source has no use
            /// for must not be given.
            .host("images", "const float *"),
            /// The classes [image_count] of images, where they are known.
            .host("labels", "const int64_t *"),
            /// 1 to 2^30.
            .host("image_count", "int64_t"),
            /// l, the share of the labels in the student's loss (1 - l) L_KD + l L_CE; 0: knowledge distillation alone, 1:
            /// ordinary training.
            .real("label_weight", \.labelWeight, 0...1, 0, 0),
            /// m of m L_mimic in the student's loss: the mean squared distance between the teacher's features and a learned
            /// linear map of the student's (Li, Jin and Yan 2017).
            .real("mimic_weight", \.mimicWeight, 0...1e6, 0, 0),
            /// Of image_source "metadata": means [metadata_groups, features] of the teacher's features on its training data, in
            /// one group or several, for example one for each class.
            .host("metadata_means", "const float *"),
            /// And standard deviations [metadata_groups, features].
            .host("metadata_deviations", "const float *"),
            /// 1 to 2^30.
            .host("metadata_groups", "int64_t"),
            /// Steps of Adam, with generator_learning_rate, on the pixels of each batch of image_source "metadata".
            .whole("metadata_steps", \.metadataSteps, 1...1 << 30, 100, 100),
            /// May be NULL, the default: silence.
            .host("log", "dafl_log_fn"),
            /// Handed to log.
            .host("log_user_data", "void *"),
            /// The units of the teacher's inputs, where they are not standardised: their mean on real data, one for all numbers,
            /// or one a channel, or one a number of an input. Generated images have mean 0 and deviation 1 a channel; the teacher
            /// is queried about them in these units, and the student takes the same. Copied. Default: 0.
            .host("input_mean", "const float *"),
            /// And their standard deviation, as many as means and above 0. Default: 1.
            .host("input_deviation", "const float *"),
            /// How many means and deviations: 1, the channels, or the numbers of an input.
            .host("input_count", "int64_t"),
            /// The short form, for inputs that fill a range, such as pixels from 0 to 255: its least number. The mean is then taken
            /// to be at 0.35 of the range and the deviation to be 0.3 of it, between those of photographs (0.45 and 0.25) and of
            /// strokes on an empty ground (0.13 and 0.31 for MNIST), and no image leaves the range. 0, with input_high, for none.
            .real("input_low", \.inputLow, -1e30...1e30, 0),
            /// And its largest.
            .real("input_high", \.inputHigh, -1e30...1e30, 0),
            /// A network that the student starts as, with its weights, in the place of `student`. Copied.
            .host("student_network", "const dafl_network *"),
            /// 1: the student's own dropout layers drop while it trains. A teacher's never do.
            .whole("student_dropout", \.studentDropout, 0...1, 0),
            /// The run ends where progress.holdout_agreement, or progress.agreement where there is none, has not risen for so many
            /// steps; 0: after all of them.
            .whole("patience", \.patience, 0...Int.max, 0),
            /// Path of a file that the run's state is written to, at its beginning, as often as the next two options say, and where a
            /// call of `dafl_distillation_run` ends. Where the file is there already, the run goes on from it: it must be one of the
            /// same options, student and kind of teacher. A later write that fails is told to the log, leaves the file as it was, and is
            /// tried again when the next one is due.
            .text("checkpoint", \.checkpoint, ""),
            /// Between two of them; more where that is less than a hundred times what the last one took to write.
            .real("checkpoint_seconds", \.checkpointSeconds, 0...1e9, 60),
            /// In the place of seconds: every so many steps; 0: by time.
            .whole("checkpoint_steps", \.checkpointSteps, 0...Int.max, 0),
            /// What the weights of a student start as that is a share of a network's channels. "teacher": as those of the
            /// channels that best give back the others on drawn pictures; the student then learns also what the teacher's
            /// layers make of those, and its normalisations keep their statistics. "new": drawn from the seed. "auto": where images
            /// are drawn, the layers are such that it can be, and max_teacher_queries does not count, "teacher", but of images of
            /// one channel the weights alone; else "new". "teacher" also says of a student_network that it was made of the teacher, as
            /// `dafl_network_compress` does: its weights stay, and where its nodes have names and shapes of the teacher's, it learns
            /// what these make of pictures.
            .choice("student_start", \.studentStart, StudentStart.self, .auto, .new),
            /// Of a student_network that was compressed, what stays as the student learns: "zeros": weights that are 0, so that a
            /// pruned network stays pruned. "values": also, within each layer, weights that are equal, so that shared ones stay
            /// shared; they move together. "nothing": every weight learns.
            .choice("student_keeps", \.studentKeeps, KeptKind.self, .nothing),
            /// Of `ranks` processes that distil one student together, which this is: each makes images of its own, and all students
            /// move by the mean of all gradients. 0 for the first.
            .whole("rank", \.rank, 0...4095, 0),
            /// How many processes. Above 1, `all_reduce` is called some student_steps + 2 times a step, after the first time always
            /// for as many floats, and teachers, students and all options but rank, threads, instruction_set, checkpoint and
            /// checkpoint_seconds must be the same. Where one fails or is stopped, all end with a status, and can go on together.
            /// Queries, times and losses of the progress are of this rank, and max_teacher_queries is for each. All hand out the same
            /// student: of those of every 25th step and of the last of all steps, the one that agreed best with the teacher on what
            /// all held out.
            .whole("ranks", \.ranks, 1...4096, 1),
            /// Sums over all ranks, in place, by whatever engine the host has. Called within steps and where one could not be begun, on
            /// the calling thread.
            .host("all_reduce", "dafl_all_reduce_fn"),
            /// Handed to all_reduce.
            .host("all_reduce_user_data", "void *"),
            /// Of several ranks. "own": each has generators of its own, which shows the student more. "shared": all train one, on a batch
            /// of theirs together, by at least two further sums in each step in which it learns.
            .choice("generators", \.generators, GeneratorSharing.self, .own),
        ]
    }
}
