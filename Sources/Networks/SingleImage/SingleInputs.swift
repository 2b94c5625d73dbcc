import LaneKernels
import Numerics

/// Which numbers of its input a convolution multiplies for each block of sixteen outputs, and in what order, which is that of
/// its packed weights.
struct SingleInputs {
    let blocks: Table<lane_single_block>
    let runs: Table<lane_run>
    /// Floats of packed weights.
    let weights: Int

    private let order: Order

    init(_ group: SingleGroup, _ source: SingleSource, outputs: Int) throws {
        let order = Order(group, source, outputs: outputs)
        self.order = order
        // Without groups all blocks have the same runs, and where each channel is one all have the same but for their start.
        let isUniform = order.groups == 1 || order.isDepthwise
        var (runCount, weights) = (0, 0)
        var firstRun = 0
        blocks = try Table(count: Batch.blocks(of: outputs)) { block in
            if block == 0 || !isUniform {
                firstRun = runCount
                order.forEachRun(of: block) { _, _, _ in runCount += 1 }
            }
            let ownWeights = weights
            order.forEachRun(of: block) { run, _, _ in weights += Int(run.end - run.start) * Batch.lanes }
            return lane_single_block(
                input: order.isDepthwise ? block * order.sourceBlock : 0, weights: ownWeights, first_run: firstRun,
                end_run: runCount, is_half: outputs - block * Batch.lanes <= Batch.lanes / 2 ? 1 : 0)
        }
        runs = try Table(count: runCount) { _ in lane_run() }
        var at = runs.pointer
        for block in 0..<(isUniform ? 1 : blocks.count) {
            order.forEachRun(of: block) { run, _, _ in
                at.pointee = run
                at += 1
            }
        }
        self.weights = weights
    }

    /// Calls `body` for each vector of packed weights of a block, in order, with a function from a channel to its weight's
    /// place; nil where the channel's group has no such input.
    func forEachVector(of block: Int, _ body: ((Int) -> Int?) -> Void) {
        order.forEachRun(of: block) { run, first, isAlongInputs in
            for step in 0..<Int(run.end - run.start) {
                var tap = first
                if isAlongInputs { tap.input += step } else { tap.x += step }
                body { order.weight(tap, of: $0) }
            }
        }
    }
}

/// The order in which a convolution goes through its inputs.
private struct Order {
    /// A place of the kernel.
    struct Tap {
        var input: Int
        let y: Int
        var x: Int
    }

    let groups: Int
    let isDepthwise: Bool
    private let inputs: Int
    private let outputs: Int
    private let kernel: Extent
    private let dilation: Extent
    private let source: SingleSource

    init(_ group: SingleGroup, _ source: SingleSource, outputs: Int) {
        let geometry = group.convolution?.geometry
        (kernel, dilation) = (geometry?.kernel ?? .one, geometry?.dilation ?? .one)
        (inputs, groups) = (geometry?.inputs ?? outputs, geometry?.groups ?? outputs)
        (isDepthwise, self.outputs, self.source) = (group.isDepthwise, outputs, source)
    }

    /// Floats from one block of inputs in lanes to the next.
    var sourceBlock: Int { if case .lanes(let image) = source { image.block } else { 0 } }

    /// Inputs that some output of a block has in its group.
    private func inputs(of block: Int) -> Range<Int> {
        let (perGroup, outputsPerGroup) = (inputs / groups, outputs / groups)
        let last = min((block + 1) * Batch.lanes, outputs) - 1
        return block * Batch.lanes / outputsPerGroup * perGroup..<(last / outputsPerGroup + 1) * perGroup
    }

    /// Calls `body` with each run, its first tap, and whether it goes along inputs, else along taps of a row.
    func forEachRun(of block: Int, _ body: (lane_run, Tap, Bool) -> Void) {
        func run(_ start: Int, _ count: Int) -> lane_run { lane_run(start: Int32(start), end: Int32(start + count)) }
        func forEachTap(_ body: (Int, Int) -> Void) {
            for y in 0..<kernel.y {
                for x in 0..<kernel.x { body(y, x) }
            }
        }
        switch source {
        case .lanes(let image):
            func offset(_ y: Int, _ x: Int) -> Int { y * dilation.y * image.row + x * dilation.x * Batch.lanes }
            guard !isDepthwise else { return forEachTap { body(run(offset($0, $1), 1), Tap(input: 0, y: $0, x: $1), true) } }
            let needed = inputs(of: block)
            for lanes in needed.lowerBound / Batch.lanes...(needed.upperBound - 1) / Batch.lanes {
                let channels = needed.clamped(to: lanes * Batch.lanes..<(lanes + 1) * Batch.lanes)
                forEachTap { y, x in
                    let start = lanes * image.block + offset(y, x) + channels.lowerBound % Batch.lanes
                    body(run(start, channels.count), Tap(input: channels.lowerBound, y: y, x: x), true)
                }
            }
        case .planes(let image):
            for input in inputs(of: block) {
                let plane = input * image.plane
                if dilation.x == 1 {
                    for y in 0..<kernel.y {
                        body(run(plane + y * dilation.y * image.row, kernel.x), Tap(input: input, y: y, x: 0), false)
                    }
                } else {
                    forEachTap { y, x in
                        let start = plane + y * dilation.y * image.row + x * dilation.x
                        body(run(start, 1), Tap(input: input, y: y, x: x), false)
                    }
                }
            }
        }
    }

    /// Where the weight of an output's tap is; nil when its group has no such input.
    func weight(_ tap: Tap, of output: Int) -> Int? {
        let perGroup = inputs / groups
        let input = isDepthwise ? 0 : tap.input - output / (outputs / groups) * perGroup
        guard (0..<perGroup).contains(input) else { return nil }
        return ((output * perGroup + input) * kernel.y + tap.y) * kernel.x + tap.x
    }
}
