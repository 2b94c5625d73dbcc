import Numerics

/// Where a walk over several tensors' numbers, one after the other, has come to.
struct TensorsPlace {
    var tensor = 0
    var offset = 0
}

/// What one exchange between ranks sums: room for numbers, and flags that tell of failures.
final class RankArena {
    private let memory: Tensor
    private let room: Int
    private static let flags = 3

    /// - Throws: `outOfMemory`.
    init(room: Int) throws {
        self.room = room
        memory = try Tensor([room + Self.flags])
    }

    var pointer: UnsafeMutablePointer<Float> { memory.pointer }
    var count: Int { memory.count }

    subscript(i: Int) -> Float {
        get { memory[i] }
        set { memory[i] = newValue }
    }

    /// How many ranks have failed.
    var failed: Float {
        get { memory[room] }
        set { memory[room] = newValue }
    }

    /// The sum of their numbers.
    var failedRank: Float {
        get { memory[room + 1] }
        set { memory[room + 1] = newValue }
    }

    /// How many ranks have no more queries.
    var spent: Float {
        get { memory[room + 2] }
        set { memory[room + 2] = newValue }
    }

    func clearFlags() { for i in room..<count { memory[i] = 0 } }
    func clear() { memory.fill(0) }

    /// Copies as many numbers as there is room for, from a place on, which moves on.
    func load(_ tensors: [Tensor], _ place: inout TensorsPlace) {
        walk(tensors, &place) { numbers, here, count in here.update(from: numbers, count: count) }
    }

    /// Copies them back, scaled.
    func store(_ tensors: [Tensor], _ place: inout TensorsPlace, scale: Float) {
        let first = place.tensor
        walk(tensors, &place) { numbers, here, count in
            for i in 0..<count { numbers[i] = scale * here[i] }
        }
        for tensor in tensors[first..<min(place.tensor + 1, tensors.count)] { tensor.touch() }
    }

    private func walk(
        _ tensors: [Tensor], _ place: inout TensorsPlace,
        _ body: (_ numbers: UnsafeMutablePointer<Float>, _ here: UnsafeMutablePointer<Float>, _ count: Int) -> Void
    ) {
        var start = 0
        while place.tensor < tensors.count, start < room {
            let tensor = tensors[place.tensor]
            let count = min(room - start, tensor.count - place.offset)
            body(tensor.pointer + place.offset, pointer + start, count)
            start += count
            place.offset += count
            if place.offset == tensor.count { place = TensorsPlace(tensor: place.tensor + 1) }
        }
    }
}
