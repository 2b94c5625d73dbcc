import Numerics

/// The JSON object at the start of a safetensors file: a map of strings, and where each tensor's bytes lie.
struct SafetensorsHeader {
    /// The same bound as the format's own library: more is an attack on the parser.
    static let longest = 100_000_000
    /// Object, tensor, list. jansson would allow 2048 levels, which overflow the stack of a small thread.
    private static let deepest = 3
    /// What its values may take in memory, by the bytes of the whole file: tensors that have numbers stay far below.
    private static let memoryPerByte = 12
    private static let leastMemory = 8 << 20
    private static let metadataName = "__metadata__"

    let metadata: [String: String]
    /// In the order of their bytes.
    let tensors: [SafetensorsFile.Entry]

    /// Checks that the tensors lie one after another without gaps or overlaps and fill the `dataLength` bytes behind
    /// the header, and that each one's bytes are as many as its shape and type need.
    /// - Throws: `format`, `unsupported` for a type of numbers that is not known, `outOfMemory`.
    init(parsing bytes: UnsafeRawBufferPointer, dataLength: Int) throws {
        let demand = UnsafeJSON.demand(of: bytes)
        guard demand.memory <= Self.memoryPerByte * (bytes.count + dataLength) + Self.leastMemory else {
            throw DaflError(.format, "its header of \(bytes.count) bytes describes more than a file of its size can hold")
        }
        guard bytes.first == UInt8(ascii: "{"), demand.nesting <= Self.deepest,
            let members = try UnsafeJSON(parsing: bytes, of: "its header", or: .format).members
        else {
            throw DaflError(.format, "its header is not a JSON object of tensors")
        }
        var metadata: [String: String] = [:]
        var tensors: [SafetensorsFile.Entry] = []
        for (name, value) in members {
            if name == Self.metadataName {
                metadata = try Self.metadata(value)
            } else {
                tensors.append(try Self.entry(name, value))
            }
        }
        tensors.sort { ($0.bytes.lowerBound, $0.bytes.upperBound) < ($1.bytes.lowerBound, $1.bytes.upperBound) }
        self.metadata = metadata
        self.tensors = tensors

        var end = 0
        for tensor in tensors {
            guard tensor.bytes.lowerBound == end else {
                throw DaflError(
                    .format,
                    "the bytes of tensor \(quoted(tensor.name)) start at \(tensor.bytes.lowerBound), not where the "
                        + "last tensor's end, at \(end)")
            }
            end = tensor.bytes.upperBound
        }
        guard end == dataLength else {
            throw DaflError(
                .format, "its tensors take \(end) bytes, but \(dataLength) follow the header; it may have been cut off")
        }
    }

    private static func metadata(_ value: UnsafeJSON) throws -> [String: String] {
        // The format's own library takes null for none.
        if value.isNull { return [:] }
        guard let members = value.members else { throw DaflError(.format, "its metadata is not a JSON object") }
        var metadata: [String: String] = [:]
        for (key, value) in members {
            // Keys that JSON tells apart can be one String: é has two spellings.
            guard let text = value.string, metadata.updateValue(text, forKey: key) == nil else {
                throw DaflError(.format, "its metadata \(quoted(key)) is not a string, or is there twice")
            }
        }
        return metadata
    }

    private static func entry(_ name: String, _ value: UnsafeJSON) throws -> SafetensorsFile.Entry {
        func malformed(_ sentence: String) -> DaflError {
            DaflError(.format, "tensor \(quoted(name)) \(sentence)")
        }
        func integers(_ value: UnsafeJSON?) throws -> [Int] {
            guard let elements = value?.elements else { throw malformed("lacks a shape or data_offsets") }
            return try elements.map { element in
                guard let integer = element.integer, integer >= 0 else {
                    throw malformed("has a dimension or an offset that is not a whole number from 0 up")
                }
                return integer
            }
        }
        let fields = value.members ?? []
        func field(_ name: String) -> UnsafeJSON? { fields.first { $0.name == name }?.value }

        guard let typeName = field("dtype")?.string else { throw malformed("lacks a dtype") }
        let (dimensions, offsets) = (try integers(field("shape")), try integers(field("data_offsets")))
        guard let type = NumberType(rawValue: typeName) else {
            throw DaflError(.unsupported, "tensor \(quoted(name)) has the unknown dtype \(quoted(typeName))")
        }
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw malformed("has data_offsets other than a start and an end")
        }
        let needed = dimensions.reduce(type.bytes) { (bytes: Int?, dimension) in
            bytes.flatMap {
                let (product, overflow) = $0.multipliedReportingOverflow(by: dimension)
                return overflow ? nil : product
            }
        }
        guard needed == offsets[1] - offsets[0] else {
            throw malformed("has \(offsets[1] - offsets[0]) bytes, which is not what its dtype and shape need")
        }
        return SafetensorsFile.Entry(name: name, type: type, dimensions: dimensions, bytes: offsets[0]..<offsets[1])
    }

    /// The text for tensors that lie in the given order, ended with spaces so that the numbers after it and its
    /// length are aligned to 8 bytes.
    /// - Throws: `invalidArgument` for a name that is taken, `unsupported` when the text is too long to be read back.
    static func text(
        metadata: [String: String], tensors: [(name: String, type: NumberType, dimensions: [Int])]
    ) throws -> String {
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\(jsonString($0.key)):\(jsonString($0.value))" }
            members.append("\(jsonString(metadataName)):{\(pairs.joined(separator: ","))}")
        }
        var names: Set = [metadataName]
        var offset = 0
        for (name, type, dimensions) in tensors {
            guard names.insert(name).inserted else {
                throw DaflError.invalid("the name of a tensor", quoted(name), "unlike the others'")
            }
            let end = offset + dimensions.reduce(type.bytes, *)
            let shape = dimensions.map(String.init).joined(separator: ",")
            members.append("\(jsonString(name)):{\"dtype\":\"\(type.rawValue)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var text = "{\(members.joined(separator: ","))}"
        text += String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
        guard text.utf8.count <= longest else {
            throw DaflError(.unsupported, "the tensors' names take \(text.utf8.count) bytes, more than \(longest)")
        }
        return text
    }
}
