import Formats
import Glibc
import Networks
import Numerics
import TestSupport
import Testing

@Suite struct NetworkFileTests {
    private let folder = TemporaryFolder()
    private let path: String

    init() { path = folder["bad"] }

    private func numbers(_ network: Network) -> [[UInt32]] {
        network.parameters.map { parameter in (0..<parameter.value.count).map { parameter.value[$0].bitPattern } }
    }

    @Test(arguments: [
        "lenet5", "lenet5-half", "lenet5(channels=3,classes=26)", "mlp-64-16-4", "mlp-3-2",
        "dafl-generator(latent=8,side=8,channels=1,width=8)", "dafl-generator(width=2, latent=3, side=4)",
        "dafl-generator(width=2,latent=3,rows=5,columns=2)", "dafl-vector-generator(latent=3,outputs=5,width=4)",
    ])
    func aFileRebuildsItsNetwork(architecture: String) throws {
        let network = try Network(architecture: architecture, seed: 5)
        for parameter in network.parameters where !parameter.isTrained { parameter.value[0] = 0.25 }
        try network.save(path: folder["a"])
        let loaded = try Network.load(path: folder["a"])
        #expect(loaded.architecture == architecture)
        #expect(numbers(loaded) == numbers(network))
        try loaded.save(path: folder["b"])
        try network.save(path: folder["a"])  // over itself
        #expect(folder.bytes(of: "a") == folder.bytes(of: "b"))
        #expect(folder.names == ["a", "b"])
    }

    @Test func theHeaderIsWhatPyTorchsToolsExpect() throws {
        try Network(architecture: "lenet5", seed: 0).save(path: folder["a"])
        let file = try SafetensorsFile(path: folder["a"])
        #expect(file.metadata == ["architecture": "lenet5", "format": "pt"])
        let layers = ["conv1", "conv2", "conv3", "fc1", "fc2"]
        #expect(file.tensors.map(\.name) == layers.flatMap { ["\($0).weight", "\($0).bias"] })
        #expect(file.tensors.first?.dimensions == [6, 1, 5, 5])
        let bytes = folder.bytes(of: "a")
        #expect(bytes[0] % 8 == 0 && bytes[8] == UInt8(ascii: "{"))
    }

    @Test func aFileCutAnywhereOrLengthenedIsRefused() throws {
        try Network(architecture: "mlp-4-3-2", seed: 1).save(path: folder["a"])
        let good = folder.bytes(of: "a")
        for length in 0..<good.count {
            expectError(.format, naming: path) { _ = try Network.load(path: folder.write(Array(good[..<length]))) }
        }
        expectError(.format, naming: path) { _ = try Network.load(path: folder.write(good + [0])) }
    }

    @Test func spoiledHeadersAreSurvived() throws {
        try Network(architecture: "mlp-4-3-2", seed: 1).save(path: folder["a"])
        let good = folder.bytes(of: "a")
        var random = Philox(seed: 3, stream: .order)
        for i in 0..<3000 {
            var bytes = good
            for _ in 0...(i % 3) {
                let place = random.next(below: good.count - 4 * 23)
                let other = good[random.next(below: good.count)]
                bytes[place] = i % 2 == 0 ? UInt8(truncatingIfNeeded: random.next()) : other
            }
            do {
                _ = try Network.load(path: folder.write(bytes))
            } catch let error as DaflError {
                #expect([.format, .unsupported, .outOfMemory].contains(error.status), "\(error)")
            }
        }
    }

    /// A file of a network "mlp-2-1" but for its metadata and further tensors.
    private func file(
        _ metadata: String, weight: String = #""dtype":"F32","shape":[1,2]"#, more: String = "", data: [UInt8]? = nil
    ) -> String {
        let header = "{\(metadata)\"fc1.weight\":{\(weight),\"data_offsets\":[0,8]},"
            + "\"fc1.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}\(more)}"
        return folder.write(fileBytes(header, data: data ?? [UInt8](repeating: 0, count: more.isEmpty ? 12 : 20)))
    }

    private func architecture(_ text: String) -> String { "\"__metadata__\":{\"architecture\":\"\(text)\"}," }

    @Test func aFileOfPyTorchsWithOurArchitectureIsLoaded() throws {
        let counter = #","bn0.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[12,20]}"#
        #expect(try Network.load(path: file(architecture("mlp-2-1"), more: counter)).architecture == "mlp-2-1")
    }

    @Test(arguments: [
        "", "resnet50", "mlp-2", "mlp-1-1", "mlp-2-2", "mlp-2-1-1", "mlp-2-1(", "mlp-2-1()", "mlp-2-0", "mlp-2--1",
        "mlp--2-1", "mlp-2-99999999999999999999", "mlp-30000000-30000000-10", "mlp-1048576-1048576-10",
        "mlp-1048576-4000-10",
        "mlp-5000-5000-10", "lenet5", "lenet5(classes=0)", "lenet5(classes=9223372036854775808)",
        "lenet5(channels=1048576)", "lenet5(=)",
        "dafl-generator(side=4096,width=4096,latent=1048576)", #"\u001b[31m"#, #"mlp-2-1\n"#, "mlp-2-\u{661}",
        "\u{43c}lp-2-1",
    ])
    func anotherArchitectureThanTheTensorsIsRefused(text: String) {
        expectError(.format, .outOfMemory, naming: path) { _ = try Network.load(path: file(architecture(text))) }
    }

    @Test func anEndlessArchitectureIsRefused() {
        let text = "mlp-2-1" + String(repeating: "-1", count: 5_000_000)
        expectError(.format, naming: path) { _ = try Network.load(path: file(architecture(text))) }
    }

    @Test func tensorsOtherThanTheNetworksAreRefused() {
        for metadata in ["", "\"__metadata__\":{},", "\"__metadata__\":{\"format\":\"pt\"},"] {
            expectError(.format, naming: path) { _ = try Network.load(path: file(metadata)) }
        }
        let mlp = architecture("mlp-2-1")
        for shape in ["[2,1]", "[2]", "[1,2,1]"] {
            let weight = "\"dtype\":\"F32\",\"shape\":\(shape)"
            expectError(.format, naming: path) { _ = try Network.load(path: file(mlp, weight: weight)) }
        }
        for (type, shape, status) in [
            ("F64", "[1,1]", Status.format), ("BF16", "[2,2]", .format), ("I32", "[1,2]", .unsupported),
            ("F8_E4M3", "[4,2]", .unsupported),
        ] {
            let weight = "\"dtype\":\"\(type)\",\"shape\":\(shape)"
            expectError(status, naming: path) { _ = try Network.load(path: file(mlp, weight: weight)) }
        }
        for name in ["fc2.weight", "fc1.weights", "", "FC1.bias", "num_batches_tracked"] {
            let more = ",\"\(name)\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[12,20]}"
            expectError(.format, naming: path) { _ = try Network.load(path: file(mlp, more: more)) }
        }
        expectError(.format, naming: path) {
            let header = "{\(mlp)\"fc1.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}"
            _ = try Network.load(path: folder.write(fileBytes(header, data: [UInt8](repeating: 0, count: 8))))
        }
    }

    @Test func theCallerNamesTheArchitectureThatAFileDoesNot() throws {
        for metadata in ["", "\"__metadata__\":null,", "\"__metadata__\":{\"format\":\"pt\"},", architecture("mlp-2-1")] {
            let network = try Network.load(path: file(metadata), architecture: "mlp-2-1")
            #expect(network.architecture == "mlp-2-1" && network.parameters[0].value.shape.dimensions == [1, 2])
        }
        expectError(.format, naming: path) { _ = try Network.load(path: file(""), architecture: "mlp-2-2") }
        for unknown in ["", "mlp-2", "resnet51"] {
            expectError(.invalidArgument) { _ = try Network.load(path: file(""), architecture: unknown) }
        }
    }

    /// Even where both have the same tensors.
    @Test func twoArchitecturesAreOneTooMany() throws {
        let mine = "dafl-vector-generator(latent=3,outputs=5,width=4)"
        let other = "dafl-vector-generator(width=4,outputs=5,latent=3)"
        try Network(architecture: mine, seed: 1).save(path: path)
        do {
            _ = try Network.load(path: path, architecture: other)
            Issue.record("nothing was thrown")
        } catch let error as DaflError {
            #expect(error.status == .format)
            #expect(error.description == "\(path): is a network \"\(mine)\", not \"\(other)\"")
        }
    }

    @Test func aVarianceIsNotNegative() throws {
        let network = try Network(architecture: "dafl-vector-generator(latent=3,outputs=5,width=4)", seed: 1)
        let variances = network.parameters.filter { $0.name.hasSuffix(".running_var") }
        #expect(!variances.isEmpty)
        for variance in variances {
            variance.value[1] = 0.1875  // of bits that nothing else has
            try network.save(path: path)
            #expect(try Network.load(path: path).parameter(named: variance.name)?.value[1] == 0.1875)
            let bytes = folder.bytes(of: "bad")
            let places = bytes.indices.dropLast(3).filter { Array(bytes[$0...$0 + 3]) == [0, 0, 0x40, 0x3E] }
            let place = try #require(places.count == 1 ? places[0] : nil)
            var negative = bytes
            negative[place + 3] |= 0x80
            expectError(.format, naming: "\(path): tensor \(variance.name) has the number -0.1875 at 1") {
                _ = try Network.load(path: folder.write(negative))
            }
            variance.value[1] = -1e-9
            expectError(.invalidArgument, naming: "tensor \(variance.name)") { try network.save(path: folder["a"]) }
            variance.value[1] = 1
        }
        // A mean may be.
        for mean in network.parameters where mean.name.hasSuffix(".running_mean") { mean.value[0] = -3 }
        try network.save(path: path)
        _ = try Network.load(path: path)
    }

    @Test func numbersThatAreNotFiniteAreNeitherLoadedNorSaved() throws {
        for bits in [Float.nan.bitPattern, Float.infinity.bitPattern, (-Float.infinity).bitPattern] {
            let number = (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
            let data = [0, 0, 0, 0, 0, 0, 0, 0] + number
            expectError(.format, naming: path) { _ = try Network.load(path: file(architecture("mlp-2-1"), data: data)) }
            let network = try Network(architecture: "mlp-2-1", seed: 0)
            network.parameters[1].value[0] = Float(bitPattern: bits)
            expectError(.invalidArgument) { try network.save(path: folder["a"]) }
        }
        // Beyond float32's range, which ends at 3.4e38.
        let header = "{\(architecture("mlp-1-1"))\"fc1.weight\":{\"dtype\":\"F64\",\"shape\":[1,1],\"data_offsets\":[0,8]},"
            + "\"fc1.bias\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[8,16]}}"
        for (number, isFinite) in [(3.4e38, true), (3.5e38, false), (-1e300, false)] {
            let data = littleEndian(number.bitPattern) + littleEndian((-0.1).bitPattern)
            folder.write(fileBytes(header, data: data))
            if isFinite {
                let loaded = try Network.load(path: path)
                #expect(loaded.parameters[0].value[0] == 3.4e38 && loaded.parameters[1].value[0] == -0.1)
            } else {
                expectError(.format, naming: path) { _ = try Network.load(path: path) }
            }
        }
        #expect(folder.names == ["bad"])
    }

    @Test func placesWithoutAFileAreErrors() throws {
        let network = try Network(architecture: "mlp-2-1", seed: 0)
        for path in [folder["none/a"], folder.path] {
            expectError(.io, naming: path) { _ = try Network.load(path: path) }
            expectError(.io, naming: path) { try network.save(path: path) }
        }
        #expect(folder.names.isEmpty)
    }
}
