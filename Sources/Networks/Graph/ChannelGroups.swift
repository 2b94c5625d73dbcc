/// Which channels of a graph become more or fewer together.
///
/// A dimension of an activation is a row of parts; a part is a group's length, times the places that each of its
/// channels takes there: 7 x 7 after an image was flattened. Groups that must be of equal length are made one; a group
/// of which a node takes a piece is divided. What cannot be scaled is fixed.
package struct ChannelGroups {
    struct Part {
        let group: Int
        let times: Int
    }

    /// How long a dimension is, before and after.
    indirect enum Dimension {
        case parts([Part])
        /// Several dimensions seen as one.
        case product([Dimension])
    }

    private enum State {
        case length(Int, isFixed: Bool)
        /// The group's channels are those of these parts.
        case divided([Part])
    }

    private var states: [State] = []

    mutating func add(_ length: Int, isFixed: Bool = false) -> Dimension {
        .parts([part(length, isFixed: isFixed)])
    }

    mutating func fixed(_ lengths: some Sequence<Int>) -> [Dimension] {
        lengths.map { add($0, isFixed: true) }
    }

    private mutating func part(_ length: Int, isFixed: Bool) -> Part {
        states.append(.length(length, isFixed: isFixed))
        return Part(group: states.count - 1, times: 1)
    }

    // MARK: - Lengths

    /// How long a group is to be that is so long; asked for those that are not fixed.
    typealias Sizes = (_ group: Int, _ length: Int) -> Int

    /// A dimension's length when groups have other sizes.
    func length(_ dimension: Dimension, _ sizes: Sizes = { $1 }) -> Int {
        switch dimension {
        case .product(let factors): factors.reduce(1) { $0 * length($1, sizes) }
        case .parts(let parts): parts.reduce(0) { $0 + length($1, sizes) }
        }
    }

    private func length(_ part: Part, _ sizes: Sizes = { $1 }) -> Int {
        switch states[part.group] {
        case .length(let length, let isFixed): part.times * (isFixed ? length : sizes(part.group, length))
        case .divided(let parts): part.times * parts.reduce(0) { $0 + length($1, sizes) }
        }
    }

    func isFixed(_ dimension: Dimension) -> Bool {
        switch dimension {
        case .product(let factors): factors.allSatisfy(isFixed)
        case .parts(let parts):
            whole(parts).allSatisfy {
                guard case .length(_, isFixed: true) = states[$0.group] else { return false }
                return true
            }
        }
    }

    /// Whether its length is a multiple of a number at any width.
    func isMultiple(_ dimension: Dimension, of number: Int) -> Bool {
        guard case .parts(let parts) = dimension else { return false }
        var (times, rest): ([Int: Int], Int) = ([:], 0)
        for part in whole(parts) {
            if isFixed(.parts([part])) {
                rest += length(part)
            } else {
                times[part.group, default: 0] += part.times
            }
        }
        return rest % number == 0 && times.values.allSatisfy { $0 % number == 0 }
    }

    /// With groups that are not divided.
    private func whole(_ parts: [Part]) -> [Part] {
        parts.flatMap { part -> [Part] in
            guard case .divided(let inner) = states[part.group] else { return [part] }
            return whole(inner).map { Part(group: $0.group, times: $0.times * part.times) }
        }
    }

    /// One channel of a group, and the places that it takes in a dimension.
    package struct Channel: Equatable {
        package let group: Int
        package let index: Int
        package let times: Int
    }

    /// The channels of a dimension in their order; nil for a product.
    func channels(of dimension: Dimension) -> [Channel]? {
        guard case .parts(let parts) = dimension else { return nil }
        return whole(parts).flatMap { part in
            (0..<length(of: part.group)).map { Channel(group: part.group, index: $0, times: part.times) }
        }
    }

    /// Those that may become fewer, with their lengths.
    var variable: [Int: Int] {
        var all: [Int: Int] = [:]
        for (group, state) in states.enumerated() {
            if case .length(let length, isFixed: false) = state { all[group] = length }
        }
        return all
    }

    // MARK: - What must be so

    mutating func fix(_ dimension: Dimension) {
        switch dimension {
        case .product(let factors): for factor in factors { fix(factor) }
        case .parts(let parts):
            for part in whole(parts) { states[part.group] = .length(length(of: part.group), isFixed: true) }
        }
    }

    private func length(of group: Int) -> Int { length(Part(group: group, times: 1)) }

    /// Two dimensions stay as long as each other.
    mutating func equate(_ a: Dimension, _ b: Dimension) {
        switch (a, b) {
        case (.parts(let a), .parts(let b)) where length(.parts(a)) == length(.parts(b)): equate(a, b)
        case (.product(let a), .product(let b)) where a.map({ length($0) }) == b.map({ length($0) }):
            for (a, b) in zip(a, b) { equate(a, b) }
        default:
            fix(a)
            fix(b)
        }
    }

    private mutating func equate(_ a: [Part], _ b: [Part]) {
        var (left, right) = (whole(a), whole(b))
        while let a = left.first, let b = right.first {
            let (lengthA, lengthB) = (length(a), length(b))
            if lengthA == lengthB {
                equate(a, b)
                (left, right) = (Array(left.dropFirst()), Array(right.dropFirst()))
            } else if lengthA > lengthB {
                left = divided(left, at: lengthB)
            } else {
                right = divided(right, at: lengthA)
            }
            // What was done to groups of the one may concern the other.
            (left, right) = (whole(left), whole(right))
        }
    }

    /// Of parts as long as each other.
    private mutating func equate(_ a: Part, _ b: Part) {
        guard a.group != b.group else { return }
        if isFixed(.parts([a])) || isFixed(.parts([b])) {
            fix(.parts([a, b]))
            return
        }
        let times = leastCommonMultiple(a.times, b.times)
        let common = part(length(a) / times, isFixed: false)
        states[a.group] = .divided([Part(group: common.group, times: times / a.times)])
        states[b.group] = .divided([Part(group: common.group, times: times / b.times)])
    }

    /// The same dimension with a part that ends at a place; its groups are divided for that, or fixed where they cannot
    /// be.
    private mutating func divided(_ parts: [Part], at place: Int) -> [Part] {
        var (result, start) = ([Part](), 0)
        for part in whole(parts) {
            let end = start + length(part)
            defer { start = end }
            guard start < place, place < end else {
                result.append(part)
                continue
            }
            if isFixed(.parts([part])) || (place - start) % part.times != 0 {
                fix(.parts([part]))
                result += [self.part(place - start, isFixed: true), self.part(end - place, isFixed: true)]
            } else {
                let first = (place - start) / part.times
                let pieces = [
                    self.part(first, isFixed: false), self.part(length(of: part.group) - first, isFixed: false),
                ]
                states[part.group] = .divided(pieces)
                result += pieces.map { Part(group: $0.group, times: part.times) }
            }
        }
        return whole(result)
    }

    // MARK: - Dimensions made of others

    /// A dimension in pieces that begin at `places`, of which the first is 0; nil for a product.
    mutating func pieces(of dimension: Dimension, from places: [Int]) -> [Dimension]? {
        guard case .parts(var parts) = dimension else { return nil }
        for place in places { parts = divided(parts, at: place) }
        var pieces: [[Part]] = []
        var start = 0
        for part in whole(parts) {
            if places.contains(start) || pieces.isEmpty { pieces.append([]) }
            pieces[pieces.count - 1].append(part)
            start += length(part)
        }
        return pieces.map { .parts($0) }
    }

    /// Dimensions one after the other.
    mutating func concatenated(_ dimensions: [Dimension]) -> Dimension {
        .parts(
            dimensions.flatMap { dimension -> [Part] in
                if case .parts(let parts) = dimension { return parts }
                fix(dimension)
                return [part(length(dimension), isFixed: true)]
            })
    }

    /// Each place of a dimension as several.
    func multiplied(_ dimension: Dimension, by times: Int) -> Dimension? {
        guard case .parts(let parts) = dimension else { return nil }
        return .parts(parts.map { Part(group: $0.group, times: $0.times * times) })
    }

    /// The first of several as one of them, with all as long as each other; nil when there is no such division.
    /// - Parameter count: a divisor of the length.
    mutating func share(of dimension: Dimension, count: Int) -> Dimension? {
        let size = length(dimension) / count
        guard count <= Self.mostShares, let shares = pieces(of: dimension, from: (0..<count).map { $0 * size })
        else { return nil }
        for other in shares.dropFirst() { equate(shares[0], other) }
        return shares[0]
    }

    /// Each `times` places of a dimension as one; nil when they are not of one channel.
    mutating func quotient(_ dimension: Dimension, by times: Int) -> Dimension? {
        guard case .parts(let parts) = dimension else { return nil }
        let all = whole(parts)
        let common = all.map { leastCommonMultiple($0.times, times) }
        guard zip(all, common).allSatisfy({ length($0) % $1 == 0 }) else { return nil }
        return .parts(
            zip(all, common).flatMap { part, common -> [Part] in
                // The same group twice has been divided by its first part.
                whole([part]).map { part in
                    guard common > part.times else { return Part(group: part.group, times: part.times / times) }
                    let isFixed = isFixed(.parts([part]))
                    let inner = self.part(length(part) / common, isFixed: isFixed)
                    states[part.group] = .divided([Part(group: inner.group, times: common / part.times)])
                    return Part(group: inner.group, times: common / times)
                }
            })
    }

    static let mostShares = 1024
}

private func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
    var (x, y) = (a, b)
    while y != 0 { (x, y) = (y, x % y) }
    return a / x * b
}
