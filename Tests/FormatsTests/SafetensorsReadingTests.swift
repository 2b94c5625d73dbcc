import Formats
import Glibc
import Numerics
import TestSupport
import Testing

@Suite struct SafetensorsReadingTests {
    private let folder = TemporaryFolder()
    private let path: String

    init() { path = folder["bad"] }

    private func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
        folder.write(bytes)
        return try SafetensorsFile(path: path)
    }

    private func open(_ header: String, data: Int) throws -> SafetensorsFile {
        try open(fileBytes(header, data: [UInt8](repeating: 0, count: data)))
    }

    @Test func tensorsComeInTheOrderOfTheirBytesWithNamesShapesAndTypes() throws {
        let file = try open(
            #"""
             {"b":{"dtype":"F32","shape":[1,2],"data_offsets":[9,17]},"__metadata__":{"kind":"t\u00e9st \"1\""},
             "count":{"dtype":"I64","shape":[],"data_offsets":[0,8]},
             "flag":{"dtype":"BOOL","shape":[1],"data_offsets":[8,9]},
             "none":{"shape":[0,5],"data_offsets":[17,17],"dtype":"F16","more":[null]}}

             """#.drop { $0 == " " }.description, data: 17)
        #expect(file.metadata == ["kind": "tést \"1\""])
        #expect(file.tensors.map(\.name) == ["count", "flag", "b", "none"])
        #expect(file.tensors.map(\.dimensions) == [[], [1], [1, 2], [0, 5]])
        #expect(file.tensors.map(\.type) == [.i64, .bool, .f32, .f16])
        #expect(try file.tensor(named: "b").shape.dimensions == [1, 2])
        expectError(.unsupported, naming: path) { _ = try file.tensor(named: "count") }
        expectError(.unsupported, naming: path) { _ = try file.tensor(named: "none") }
        expectError(.format, naming: path) { _ = try file.tensor(named: "c") }
    }

    @Test func numbersAreLittleEndianFloats() throws {
        let header = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
            + #""s":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}"#
        let file = try open(fileBytes(header, data: [0, 0, 0x80, 0x3F, 0, 0, 0xC0, 0x7F, 0, 0, 0, 0xC0]))
        let tensor = try file.tensor(named: "a")
        #expect(tensor[0] == 1 && tensor[1].isNaN)
        let scalar = try file.tensor(named: "s")
        #expect(scalar.shape.rank == 0 && scalar[0] == -2)
    }

    @Test func aFileWithoutTensorsIsOne() throws {
        #expect(try open("{}", data: 0).tensors.isEmpty)
        #expect(try open("{}   ", data: 0).metadata.isEmpty)
        #expect(try open(#"{"__metadata__":null}"#, data: 0).metadata.isEmpty)
    }

    @Test func theFixtureOfOneTrainingStepIsRead() throws {
        let tests = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let file = try SafetensorsFile(path: "/\(tests)/DistillationTests/Fixtures/paper-step.safetensors")
        #expect(file.metadata.isEmpty && file.tensors.count == 112)
        for entry in file.tensors {
            let tensor = try file.tensor(named: entry.name)
            #expect(tensor.shape.dimensions == entry.dimensions && tensor.isFinite)
        }
        let rates = try file.tensor(named: "learning_rates")
        #expect(rates[0] == 5e-4 && rates[1] == 2e-3)
    }

    /// One tensor with a field that says something else. Its bytes are 12.
    @Test(arguments: [
        #""dtype":"F32","shape":[3],"data_offsets":[0,8]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[0,16]"#,
        #""dtype":"F32","shape":[2],"data_offsets":[0,12]"#,
        #""dtype":"F64","shape":[3],"data_offsets":[0,12]"#,
        #""dtype":"F32","shape":[2],"data_offsets":[0,8]"#,
        #""dtype":"F32","shape":[2],"data_offsets":[4,12]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[12,0]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[-12,0]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[0.0,12.0]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[0,1.2e1]"#,
        #""dtype":"F32","shape":[3],"data_offsets":["0","12"]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[false,12]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[12]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[0,12,12]"#,
        #""dtype":"F32","shape":[3],"data_offsets":{"0":12}"#,
        #""dtype":"F32","shape":[3],"data_offsets":null"#,
        #""dtype":"F32","shape":[3]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[0,9223372036854775807]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[9223372036854775795,9223372036854775807]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[0,9223372036854775808]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[0,18446744073709551628]"#,
        #""dtype":"F32","shape":[-3],"data_offsets":[0,12]"#,
        #""dtype":"F32","shape":[-1,-3],"data_offsets":[0,12]"#,
        #""dtype":"F32","shape":[3.0],"data_offsets":[0,12]"#,
        #""dtype":"F32","shape":["3"],"data_offsets":[0,12]"#,
        #""dtype":"F32","shape":3,"data_offsets":[0,12]"#,
        #""dtype":"F32","shape":[[3]],"data_offsets":[0,12]"#,
        #""dtype":"F32","shape":[],"data_offsets":[0,12]"#,
        #""dtype":"F32","shape":[0],"data_offsets":[0,12]"#,
        #""dtype":"F32","shape":[4611686018427387907],"data_offsets":[0,12]"#,
        #""dtype":"F32","shape":[4294967296,4294967296,3],"data_offsets":[0,12]"#,
        #""dtype":"F32","shape":[4611686018427387904,4,0],"data_offsets":[0,0]"#,
        #""dtype":"F32","data_offsets":[0,12]"#,
        #""dtype":7,"shape":[3],"data_offsets":[0,12]"#,
        #""dtype":null,"shape":[3],"data_offsets":[0,12]"#,
        #""shape":[3],"data_offsets":[0,12]"#,
        #""dtype":"F32","dtype":"F32","shape":[3],"data_offsets":[0,12]"#,
        #""dtype":"F32","shape":[3],"data_offsets":[0,12],"more":[[[]]]"#,
    ])
    func aTensorThatIsNotWhatItSaysIsRefused(fields: String) {
        expectError(.format, naming: path) { _ = try open("{\"a\":{\(fields)}}", data: 12) }
    }

    @Test(arguments: ["Q9", "", "f32", "F32 ", "F4", "\\u001b[31mF32"])
    func anUnknownTypeIsUnsupported(type: String) {
        expectError(.unsupported, naming: path) {
            _ = try open("{\"a\":{\"dtype\":\"\(type)\",\"shape\":[3],\"data_offsets\":[0,12]}}", data: 12)
        }
    }

    /// Pairs of tensors in 12 bytes.
    @Test(arguments: [
        ("[0,4]", "[8,12]", "a", "b"), ("[0,8]", "[4,8]", "a", "b"), ("[0,8]", "[4,12]", "a", "b"),
        ("[0,12]", "[0,12]", "a", "b"), ("[4,8]", "[8,12]", "a", "b"), ("[0,4]", "[4,8]", "a", "b"),
        ("[0,4]", "[4,16]", "a", "b"),
        ("[0,4]", "[4,12]", "a", "a"),  // the same name
        ("[0,4]", "[4,12]", "a", #"\u0061"#),
        ("[0,4]", "[4,12]", "\u{e9}", "e\u{301}"),  // the same String in other bytes
        ("[0,4]", "[4,12]", "a", #"a\u0000"#),
        ("[0,4]", "[4,12]", "a", #"\ud800"#),
    ])
    func tensorsThatDoNotFillTheDataOnceAreRefused(first: String, second: String, name: String, other: String) {
        func entry(_ name: String, _ offsets: String) -> String {
            let ends = offsets.dropFirst().dropLast().split(separator: ",").compactMap { Int($0) }
            return "\"\(name)\":{\"dtype\":\"U8\",\"shape\":[\(ends[1] - ends[0])],\"data_offsets\":\(offsets)}"
        }
        expectError(.format, naming: path) { _ = try open("{\(entry(name, first)),\(entry(other, second))}", data: 12) }
    }

    @Test(arguments: [
        "", " ", "{", "}", "[]", "null", "7", "\"\"", " {}", "{}{}", "{}x", "{}\0", "{\"a\":1}", "{\"a\":{}}",
        "{\"a\":[]}", "{a:1}", "{'a':1}", "{\"a\"", "{\"a\":}", "{\"a\":{}", "\u{feff}{}", "{\"a\":NaN}",
        "{\"a\":1e999}", "{\"a\":123456789012345678901234567890}",
        "{\"__metadata__\":7}", "{\"__metadata__\":\"text\"}", "{\"__metadata__\":[]}",
        "{\"__metadata__\":{\"a\":7}}", "{\"__metadata__\":{\"a\":null}}", "{\"__metadata__\":{\"a\":{}}}",
        "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", "{\"__metadata__\":{\"\u{e9}\":\"1\",\"e\u{301}\":\"2\"}}",
        "{\"__metadata__\":{},\"__metadata__\":{}}", "{\"\\\"[{[{\":{}}", "{\"\u{1b}[31m\":{}}",
    ])
    func aHeaderThatIsNoMapOfTensorsIsRefused(header: String) {
        expectError(.format, naming: path) { _ = try open(header, data: 0) }
    }

    @Test func bytesThatAreNoUTF8AreRefused() {
        for bytes: [UInt8] in [[0xFF, 0xFE], [0xC3, 0x28], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xC0, 0x80]] {
            let header = Array("{\"__metadata__\":{\"a\":\"".utf8) + bytes + Array("\"}}".utf8)
            let file = fileBytes("", data: header, announcing: UInt64(header.count))
            expectError(.format, naming: path) { _ = try open(file) }
        }
    }

    /// jansson would pass over one that follows a number.
    @Test(arguments: ["[3\0]", "[3,\0 1]", "\0[3]", "[3]\0"])
    func aByteOfZeroIsRefused(shape: String) {
        expectError(.format, naming: path) {
            _ = try open("{\"a\":{\"dtype\":\"U8\",\"shape\":\(shape),\"data_offsets\":[0,3]}}", data: 3)
        }
    }

    /// An object is two bytes of the text and hundreds in memory.
    @Test(arguments: ["{},", "0,", "[],", "\"\","])
    func aHeaderOfMoreValuesThanItsFileCanHoldIsRefused(value: String) {
        let values = String(repeating: value, count: 1 << 20)
        expectError(.format, naming: path) {
            _ = try open("{\"a\":{\"dtype\":\"U8\",\"shape\":[\(values)0],\"data_offsets\":[0,0]}}", data: 0)
        }
    }

    @Test func manyTensorsAreRead() throws {
        let count = 20_000
        let entries = (0..<count).map { "\"\($0)\":{\"dtype\":\"U8\",\"shape\":[64],\"data_offsets\":[\(64 * $0),\(64 * $0 + 64)]}" }
        #expect(try open("{\(entries.joined(separator: ","))}", data: 64 * count).tensors.count == count)
    }

    @Test func deepNestingIsRefusedOnTheStackOfASmallThread() throws {
        for opening in ["[", "{\"a\":", "{\"a\":{\"b\":["] {
            folder.write(fileBytes("{\"a\":" + String(repeating: opening, count: 200_000)))
            // Not enough for the 2048 levels that jansson allows.
            let error = Box()
            var attributes = pthread_attr_t()
            pthread_attr_init(&attributes)
            pthread_attr_setstacksize(&attributes, 128 << 10)
            defer { pthread_attr_destroy(&attributes) }
            var thread = pthread_t()
            error.path = path
            let created = pthread_create(
                &thread, &attributes,
                { argument in
                    guard let argument else { return nil }
                    let box = Unmanaged<Box>.fromOpaque(argument).takeUnretainedValue()
                    do { _ = try SafetensorsFile(path: box.path) } catch { box.error = error as? DaflError }
                    return nil
                }, Unmanaged.passUnretained(error).toOpaque())
            try #require(created == 0)
            pthread_join(thread, nil)
            #expect(error.error?.status == .format)
        }
    }

    private final class Box {
        var path = ""
        var error: DaflError?
    }

    @Test(arguments: [0, 1, 48, 50, 57, 58, 1 << 40, UInt64(Int64.max), 1 << 63, .max - 7, .max])
    func aHeaderOfAnotherLengthIsRefused(length: UInt64) throws {
        let header = #"{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}"#
        _ = try open(fileBytes(header, data: [0], announcing: 52))
        expectError(.format, naming: path) { _ = try open(fileBytes(header, data: [0], announcing: length)) }
    }

    @Test func aHeaderBeyondTheFormatsBoundIsNotRead() throws {
        folder.write(fileBytes("{}", announcing: 100_000_001))
        try #require(truncate(path, 200_000_000) == 0)  // holes: nothing is written
        expectError(.format, naming: path) { _ = try SafetensorsFile(path: path) }
    }

    @Test func aFileThatShrinksIsAnErrorWhenItsNumbersAreRead() throws {
        let file = try open(#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, data: 16)
        #expect(try file.tensor(named: "a").count == 4)
        try #require(truncate(path, 70) == 0)
        expectError(.io, naming: path) { _ = try file.tensor(named: "a") }
    }

    @Test func onlyRegularFilesAreOpened() throws {
        try #require(mkfifo(folder["pipe"], 0o600) == 0)
        for path in [folder["pipe"], folder.path, folder["nothing"], "/dev/zero", "\(folder.path)/pipe/x", "/"] {
            expectError(.io, naming: path) { _ = try SafetensorsFile(path: path) }
        }
        expectError(.io) { _ = try SafetensorsFile(path: "") }
    }

    @Test func aLinkIsFollowed() throws {
        folder.write(fileBytes("{}"))
        try #require(symlink("bad", folder["link"]) == 0)
        #expect(try SafetensorsFile(path: folder["link"]).tensors.isEmpty)
    }
}
