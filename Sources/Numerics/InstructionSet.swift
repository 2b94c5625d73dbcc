import Glibc
import LaneKernels

/// The instruction sets that the kernels are compiled for, by name.
package enum InstructionSet {
    /// Names of those that this processor has, slowest first.
    package static var available: [String] {
        (0..<lane_kernels_available()).map { String(cString: lane_kernels_at($0).pointee.name) }
    }

    /// The level of a set for `Compute`. "auto" is the one that the environment variable DAFL_INSTRUCTION_SET names, or where
    /// that is not set the fastest: nil.
    /// - Throws: `invalidArgument` for a name that is none, or that this processor does not have.
    package static func level(named name: String) throws -> Int? {
        guard name == "auto" else { return try level(named: name, by: "instruction_set") }
        guard let variable = getenv("DAFL_INSTRUCTION_SET"), variable.pointee != 0 else { return nil }
        return try level(named: String(cString: variable), by: "the environment variable DAFL_INSTRUCTION_SET")
    }

    private static func level(named name: String, by origin: String) throws -> Int {
        guard let level = available.firstIndex(of: name) else {
            throw DaflError.invalid(
                origin, "\"\(name)\"", "one that this processor has: \(available.joined(separator: ", "))")
        }
        return level
    }
}
