import Numerics

/// The numbers of one image in their own order: [channels, height, width], or any other shape.
final class SingleRows {
    var start: UnsafePointer<Float>
    /// Whole vectors of numbers; not used where they are the host's.
    let memory: UnsafeFloatMemory
    /// Whether `start` is set to the host's numbers each time.
    let isHosts: Bool

    init(count: Int, isHosts: Bool = false) throws {
        memory = try UnsafeFloatMemory(count: Batch.blocks(of: count) * Batch.lanes)
        (start, self.isHosts) = (UnsafePointer(memory.start), isHosts)
    }

    init(_ memory: UnsafeFloatMemory) {
        (self.memory, start, isHosts) = (memory, UnsafePointer(memory.start), false)
    }

    /// Sixteen neighbours as samples, for work on each number alone.
    func batch() throws -> Batch {
        Batch(samples: Batch.lanes, shape: try Shape([memory.count / Batch.lanes]), in: memory, at: 0)
    }
}

/// The numbers of one image with channels in lanes, and zeros around it: [ceil(channels / 16)][rows][columns][16]. A single
/// pixel's lie as in `SingleRows`.
final class SingleLanes {
    let channels: Int
    let height: Int
    let width: Int
    let border: Border
    let memory: UnsafeFloatMemory

    init(_ channels: Int, _ height: Int, _ width: Int, border: Border = .none) throws {
        (self.channels, self.height, self.width, self.border) = (channels, height, width, border)
        let plane = try Shape([height + border.vertical, width + border.horizontal])
        let count = try Batch.floats(samples: channels, shape: plane)
        guard count <= SingleImageTooLarge.limit else { throw SingleImageTooLarge() }
        memory = try UnsafeFloatMemory(count: count)
    }

    /// A single pixel.
    init(_ memory: UnsafeFloatMemory, channels: Int) {
        (self.channels, height, width, border, self.memory) = (channels, 1, 1, .none, memory)
    }

    var blocks: Int { Batch.blocks(of: channels) }
    var row: Int { (width + border.horizontal) * Batch.lanes }
    var block: Int { (height + border.vertical) * row }
    /// Where a pixel lies in each block; it may be one of the border's.
    func place(_ y: Int, _ x: Int) -> Int { (y + border.top) * row + (x + border.left) * Batch.lanes }

    /// Channels as samples, each an image of one channel, for work on each channel alone.
    func batch() throws -> Batch {
        precondition(border == .none)
        return Batch(samples: channels, shape: try Shape([1, height, width]), in: memory, at: 0)
    }
}

/// Thrown where places in an image would not fit 32 bits.
struct SingleImageTooLarge: Error {
    static let limit = 1 << 30
}
