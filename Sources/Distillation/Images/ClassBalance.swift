import Glibc
import Numerics

/// Which of many images are kept: as many of each class as there are, and of a class those that the teacher is surest of.
struct ClassBalance {
    /// Places of candidates, by class, the surest first.
    private var classes: [[Int]]

    /// - Parameter logits: of the candidates, rows [count, K].
    init(logits: Tensor) {
        let (count, width) = (logits.shape[0], logits.shape[1])
        var doubts = [Double](repeating: 0, count: count)
        classes = [[Int]](repeating: [], count: width)
        for i in 0..<count {
            let row = UnsafeBufferPointer(start: logits.pointer + i * width, count: width)
            var best = 0
            for k in 1..<width where row[k] > row[best] { best = k }
            // -log p of the class but for a monotone function, which tells teachers apart that are sure to the last digit.
            for k in 0..<width where k != best { doubts[i] += exp(Double(row[k]) - Double(row[best])) }
            classes[best].append(i)
        }
        for k in 0..<width { classes[k].sort { (doubts[$0], $0) < (doubts[$1], $1) } }
    }

    /// Writes the places of those to keep, at most as many as there are candidates: one of each class that has any left, again
    /// and again.
    /// - Parameter first: the class to begin with, so that where not all have a turn it is not always the same ones.
    func keep(_ places: Indices, first: Int) {
        var (kept, round) = (0, 0)
        while kept < places.count {
            let before = kept
            for k in 0..<classes.count where kept < places.count {
                let candidates = classes[(first + k) % classes.count]
                guard round < candidates.count else { continue }
                places[kept] = candidates[round]
                kept += 1
            }
            precondition(kept > before)
            round += 1
        }
    }
}
