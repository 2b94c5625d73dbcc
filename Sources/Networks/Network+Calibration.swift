import Numerics

extension Network {
    /// Sets the running statistics of its batch normalisations to the means of those that so many batches have, with weights as
    /// they are.
    /// - Parameter load: writes the next batch of inputs.
    package func estimateStatistics(
        batches: Int, samples: Int, _ compute: Compute, _ load: (Batch) -> Void
    ) throws {
        let norms = nodes.compactMap { $0.layer as? BatchNorm }
        guard !norms.isEmpty else { return }
        let momenta = norms.map(\.momentum)
        let input = try Batch(samples: samples, shape: inputShape)
        let pass = try Pass(self, input: input, compute)
        for batch in 1...batches {
            for norm in norms { norm.momentum = 1 / Float(batch) }  // the mean over batches so far
            load(input)
            pass.forward(training: true)
        }
        for (norm, momentum) in zip(norms, momenta) { norm.momentum = momentum }
        touch()
    }
}
