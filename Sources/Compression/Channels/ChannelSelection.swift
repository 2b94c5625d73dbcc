import Networks
import Numerics

/// Channels and neurons chosen by what images show of them: those that together best give back the others, with the weights of
/// each layer fitted to what it made of all. See `Narrowing`.
enum ChannelSelection {
    /// - Parameter share: of each group's channels that stays, rounded, and at least one.
    /// - Throws: `unsupported` for a network with layers of which it is not told how channels go through them.
    static func selected(
        _ network: Network, keeping share: Double, _ images: CalibrationImages, _ compute: Compute
    ) throws -> Network {
        // The narrowing's own network takes standardised images, and so does what it writes to.
        if let units = network.inputUnits {
            let standardised = try images.standardised(by: units, network.inputShape, compute)
            return try withExtendedLifetime(standardised) {
                let images = CalibrationImages(rows: standardised.pointer, count: images.count)
                return try selected(network, keeping: share, standardised: images, compute).copy(units: units)
            }
        }
        return try selected(network, keeping: share, standardised: images, compute)
    }

    private static func selected(
        _ network: Network, keeping share: Double, standardised images: CalibrationImages, _ compute: Compute
    ) throws -> Network {
        func refuse() -> DaflError {
            DaflError(.unsupported, "channels of the network \(network.name) cannot be chosen by images: it is not told how they go through its layers")
        }
        guard let narrowing = try Narrowing(network, width: share) else { throw refuse() }
        let result = try Network(narrowing.network.graph.scaled(width: share))
        guard share == 1 || result.parameterCount < narrowing.network.parameterCount else {
            throw DaflError(.unsupported, "the network \(network.name) has no channels between its layers that could be fewer")
        }
        result.loadConstants(from: narrowing.network)
        try images.run(narrowing.network, watching: narrowing.watched, compute) { narrowing.add($0) }
        guard try narrowing.write(to: result) else { throw refuse() }
        result.touch()
        try images.inBatches(of: network.inputShape, compute) { batch, batches, load in
            try narrowing.refit(result, batches: batches, teacher: batch, student: batch, compute, load)
        }
        return result
    }
}
