import LaneKernels
import Numerics

/// Every set of kernels that this machine can run: each kernel's test goes through all of them.
var kernelSets: [Kernels] { (0..<lane_kernels_available()).map { lane_kernels_at($0).pointee } }

extension lane_kernels {
    var title: String { String(cString: name) }
}

/// A number between, to split a range of work in two uneven parts: the halves must not depend on each other.
func part(of count: Int) -> Int { (count + 1) / 3 }
