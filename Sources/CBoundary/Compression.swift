import CDafl
import Compression
import Numerics

/// Fills in the defaults.
///
/// - Parameter struct_size: sizeof the caller's struct.
@c @implementation
public func dafl_compression_options_init(
    _ options: UnsafeMutablePointer<dafl_compression_options>?, _ struct_size: Int
) -> dafl_status {
    answering {
        try SizedStruct.initialise(options, "options", size: struct_size, .defaults)
    }
}

/// Makes a smaller network of a trained one by what its weights tell, without data. What that costs in accuracy, a distillation
/// repairs: with the network as it was for a teacher, and the smaller one as the option `student_network`.
///
/// - Parameter network: stays as it is.
/// - Parameter options: initialised before with `dafl_compression_options_init`.
/// - Parameter out: the smaller network, to be destroyed with `dafl_network_destroy`; NULL on failure.
/// - Returns: DAFL_ERROR_INVALID_ARGUMENT for an option out of its range or a goal that cannot be reached, when no way is asked
///   for, for weights that are not finite, and for int8 without images; DAFL_ERROR_UNSUPPORTED for a network that a way can do
///   nothing for; DAFL_ERROR_DIVERGED where what comes out is not finite; DAFL_ERROR_OUT_OF_MEMORY; what on_progress returned.
@c @implementation
public func dafl_network_compress(
    _ network: NetworkHandle?, _ options: UnsafePointer<dafl_compression_options>?,
    _ out: UnsafeMutablePointer<NetworkHandle?>?
) -> dafl_status {
    answering {
        let out = try require(out, "out")
        out.pointee = nil
        let c = try SizedStruct.read(options, "options")
        var compression = Compression()
        try OptionFields.read(c, into: &compression)
        if let images = c.images {
            compression.images = CalibrationImages(
                rows: images, count: try requireWhole(c.image_count, "image_count", 1...1 << 30))
        }
        try using(network, "network", as: NetworkObject.self, .shared) { object in
            let compute = try Compute(threads: compression.threads, level: InstructionSet.level(named: "auto"))
            let smaller = try compression.applied(to: object.network, compute) { done in
                let code = FloatingPoint.ofTheHost { c.on_progress?(c.user_data, done) }
                if let code, code != 0 { throw CallbackStop(code: code, callback: "on_progress") }
            }
            out.pointee = makeHandle(NetworkObject(smaller))
        }
    }
}
