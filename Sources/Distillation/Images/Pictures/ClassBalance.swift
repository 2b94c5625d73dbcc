import Glibc
import Numerics
import Training

/// Which of many images are kept: as many of each class as there are, and of a class those that the teacher is surest of.
final class ClassBalance {
    private let classes: Int
    private let winners: Indices  // [count]: the class of a candidate; -1 where it is kept
    private let doubts: Doubles  // [count]
    private let left: Indices  // [K]: candidates of a class that are not kept

    init(candidates: Int, classes: Int) throws {
        self.classes = classes
        winners = try Indices(count: candidates)
        doubts = try Doubles(count: candidates)
        left = try Indices(count: classes)
    }

    /// Writes the places of those to keep, at most as many as there are candidates: one of each class that has any left, again
    /// and again.
    /// - Parameters:
    ///   - logits: of the candidates, rows [count, K].
    ///   - first: the class to begin with, so that where not all have a turn it is not always the same ones.
    func keep(_ places: Indices, logits: Tensor, first: Int) {
        rank(logits)
        var kept = 0
        while kept < places.count {
            let before = kept
            for k in 0..<classes where kept < places.count {
                let label = (first + k) % classes
                guard left[label] > 0, let surest = surest(of: label) else { continue }
                winners[surest] = -1
                left[label] -= 1
                places[kept] = surest
                kept += 1
            }
            precondition(kept > before)
        }
    }

    private func rank(_ logits: Tensor) {
        precondition(logits.count == winners.count * classes)
        for k in 0..<classes { left[k] = 0 }
        for i in 0..<winners.count {
            let row = logits.pointer + i * classes, best = logits.argmax(row: i)
            // -log p of the class but for a monotone function, which tells teachers apart that are sure to the last digit.
            var doubt = 0.0
            for k in 0..<classes where k != best { doubt += exp(Double(row[k]) - Double(row[best])) }
            (winners[i], doubts[i]) = (best, doubt)
            left[best] += 1
        }
    }

    /// The candidate of a class that is least in doubt, the first of equals; nil for none.
    private func surest(of label: Int) -> Int? {
        var best: Int?
        for i in 0..<winners.count where winners[i] == label {
            guard let least = best, doubts[i] >= doubts[least] else {
                best = i
                continue
            }
        }
        return best
    }
}
