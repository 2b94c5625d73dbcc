extension SupervisedTraining: OptionTable {
    /// In the order of `dafl_train_options`, whose end is the place for new ones.
    package static var table: [Option<SupervisedTraining>] {
        [
            /// Of the order of the examples.
            .unsigned("seed", \.seed, 0),
            /// Passes over the examples.
            .whole("epochs", \.epochs, 1...1 << 30, 10),
            /// Examples a step.
            .whole("batch_size", \.batchSize, 1...1 << 30, 256),
            /// Kingma and Ba's Adam, Loshchilov and Hutter's AdamW, or gradient descent with momentum.
            .choice("optimizer", \.optimizer, OptimizerKind.self, .adam),
            /// Of the learning rate. "cosine": to zero over the training. "step": a tenth from the middle of it, a hundredth
            /// from three quarters.
            .choice("schedule", \.schedule, Schedule.self, .constant),
            /// At the start of the schedule.
            .real("learning_rate", \.learningRate, 0...1e6, 1e-3),
            /// L2 for adam and sgd, decoupled for adamw.
            .real("weight_decay", \.weightDecay, 0...1e6, 0),
            /// Of sgd.
            .real("momentum", \.momentum, 0...1, 0.9),
            /// Called after each epoch; may be NULL.
            .host("on_epoch", "dafl_epoch_fn"),
            /// Handed to on_epoch and on_step.
            .host("user_data", "void *"),
            /// Called after each batch; may be NULL.
            .host("on_step", "dafl_train_step_fn"),
        ]
    }
}
