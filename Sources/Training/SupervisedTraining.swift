import Networks
import Numerics

/// Ordinary training on labelled images, for teachers and for the baselines. `SupervisedTraining+Table.swift` says what each
/// option is.
package struct SupervisedTraining {
    package var seed: UInt64 = 0
    package var epochs = 0
    package var batchSize = 0
    package var optimizer = OptimizerKind.adam
    package var schedule = Schedule.constant
    package var learningRate = 0.0
    package var weightDecay = 0.0
    package var momentum = 0.0

    package init() { reset() }

    /// Trains on images [count, input] with labels [count]; calls `onStep` with the step, from 1, of how
    /// many, and its loss, and `onEpoch` with the epoch, from 1, and its mean loss. An
    /// epoch's last batch is smaller when the batch size does not divide the count.
    /// - Throws: `diverged` when a loss or, after an epoch, a weight is not finite, and what `onEpoch` throws.
    package func train(
        _ network: Network, rows images: UnsafePointer<Float>, labels: UnsafePointer<Int64>, count: Int,
        _ compute: Compute, onStep: (Int, Int, Double) throws -> Void = { _, _, _ in },
        onEpoch: (Int, Double) throws -> Void
    ) throws {
        var random = Philox(seed: seed, stream: .order)
        let optimizer = try optimizer.make(
            network.trainedParameters, weightDecay: weightDecay, momentum: momentum, compute)
        let whole = try Step(network, samples: min(batchSize, count), compute)
        let rest = count % batchSize == 0 || count < batchSize ? nil : try Step(network, samples: count % batchSize, compute)
        let order = try Indices(count: count)
        let stepsPerEpoch = count / batchSize + (count % batchSize == 0 ? 0 : 1)
        let (product, isBeyondAll) = epochs.multipliedReportingOverflow(by: stepsPerEpoch)
        let steps = isBeyondAll ? Int.max : product

        for epoch in 0..<epochs {
            random.permute(order)
            var total = 0.0
            for (index, start) in stride(from: 0, to: count, by: batchSize).enumerated() {
                let step = count - start >= whole.samples ? whole : rest ?? whole
                let loss = step.gradients(of: network, rows: images, labels: labels, picks: order.pointer + start, compute)
                guard loss.isFinite else {
                    throw DaflError(.diverged, "the loss of epoch \(epoch + 1) is \(loss); try a smaller learning_rate")
                }
                let done = epoch * stepsPerEpoch + index
                optimizer.step(learningRate: schedule.rate(initial: learningRate, step: done, of: steps))
                total += loss * Double(step.samples)
                try onStep(done + 1, steps, loss)
            }
            guard network.isFinite else {
                throw DaflError(.diverged, "weights became infinite in epoch \(epoch + 1); try a smaller learning_rate")
            }
            try onEpoch(epoch + 1, total / Double(count))
        }
    }

    /// The memory for steps of one batch size.
    private struct Step {
        let pass: Pass
        let loss: CrossEntropy
        let classes: Indices

        init(_ network: Network, samples: Int, _ compute: Compute) throws {
            pass = try Pass(
                network, input: Batch(samples: samples, shape: network.inputShape), gradients: .weights, compute)
            loss = try CrossEntropy(samples: samples, classes: network.outputShape, compute)
            classes = try Indices(count: samples)
        }

        var samples: Int { pass.input.samples }

        /// Writes the gradients of the mean loss over the picked images, as many as `samples`, and returns that loss.
        func gradients(
            of network: Network, rows images: UnsafePointer<Float>, labels: UnsafePointer<Int64>,
            picks: UnsafePointer<Int>, _ compute: Compute
        ) -> Double {
            pass.input.load(rows: images, picks: picks, compute)
            pass.forward(training: true)
            network.touch()
            guard let gradient = pass.outputGradient else { return .nan }
            for i in 0..<samples { classes[i] = Int(labels[picks[i]]) }
            let value = loss.evaluate(pass.output, labels: classes.pointer, gradient: gradient)
            pass.backward()
            return value
        }
    }
}
