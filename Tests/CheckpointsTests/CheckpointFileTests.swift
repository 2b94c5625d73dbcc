import Formats
import Glibc
import Networks
import Numerics
import TestSupport
import Testing
import Training

@testable import Checkpoints
@testable import Distillation

/// What a checkpoint's file is, and which are refused.
struct CheckpointFileTests {
    private static func options(_ change: (inout DistillationOptions) -> Void = { _ in }) -> DistillationOptions {
        var options = Preset.fast.options
        (options.student, options.threads, options.steps, options.batchSize, options.studentSteps) = ("mlp-64-8-4", 1, 6, 16, 1)
        (options.replayCapacity, options.generatorWidth, options.latentSize, options.imageSource) = (64, 4, 8, .generator)
        change(&options)
        return options
    }

    private static func bytes(_ distillation: Distillation) throws -> [UInt8] {
        let size = try distillation.save(to: UnsafeMutableRawBufferPointer(start: nil, count: 0))
        var bytes = [UInt8](repeating: 0, count: size)
        _ = try bytes.withUnsafeMutableBytes { try distillation.save(to: $0) }
        return bytes
    }

    private static func resume(
        _ bytes: [UInt8], _ teacher: (any Teacher)? = nil, answers: Answers = .automatic, _ options: DistillationOptions? = nil
    ) throws -> Distillation {
        try bytes.withUnsafeBytes { bytes in
            let checkpoint = try Checkpoint(borrowing: bytes)
            return try checkpoint.resume(
                teacher: teacher ?? StoppingTeacher(), answers: answers, options ?? checkpoint.options(nil)) { _, _ in }
        }
    }

    private func expect(_ status: Status, _ part: String, _ body: () throws -> Void) {
        do {
            try body()
            Issue.record("nothing was refused")
        } catch {
            let error = error as? DaflError
            #expect(error?.status == status)
            #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
        }
    }

    private static func run(_ options: DistillationOptions = options(), steps: Int = 2) throws -> Distillation {
        let run = try Distillation(teacher: StoppingTeacher(), options)
        for _ in 0..<steps { try run.step() }
        return run
    }

    @Test func theSameStateMakesTheSameBytes() throws {
        let run = try Self.run()
        let bytes = try Self.bytes(run)
        #expect(try Self.bytes(run) == bytes)
        #expect(try Self.bytes(Self.resume(bytes)) == bytes)
    }

    @Test func everyOtherByteIsRefused() throws {
        let bytes = try Self.bytes(Self.run())
        _ = try Self.resume(bytes)
        for place in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 300)) {
            var damaged = bytes
            damaged[place] ^= 0x20
            #expect(throws: DaflError.self) { _ = try Self.resume(damaged) }
        }
        for length in stride(from: 0, to: bytes.count, by: bytes.count / 50) {
            #expect(throws: DaflError.self) { _ = try Self.resume(Array(bytes[..<length])) }
        }
    }

    @Test func otherFilesAreRefused() throws {
        expect(.format, "safetensors") { _ = try Self.resume([1, 2, 3]) }
        let file = try SafetensorsFile.start(metadata: ["format": "pt"], tensors: [])
        expect(.format, "no checkpoint") { _ = try Self.resume(file) }
        let older = try SafetensorsFile.start(metadata: ["format": "dafl-checkpoint", "version": "0.1"], tensors: [])
        expect(.unsupported, "0.1") { _ = try Self.resume(older) }
        expect(.io, "/nowhere") { _ = try Checkpoint(path: "/nowhere/run.dafl") }
    }

    @Test func otherRunsAreRefused() throws {
        let bytes = try Self.bytes(Self.run())
        expect(.invalidArgument, "teacher.classes was \"4\" there, and is \"5\"") {
            _ = try Self.resume(bytes, StoppingTeacher("mlp-64-16-5"))
        }
        expect(.invalidArgument, "teacher.input_shape") { _ = try Self.resume(bytes, StoppingTeacher("mlp-32-16-4")) }
        expect(.invalidArgument, "teacher.weights") {
            _ = try Self.resume(bytes, NetworkTeacher(Network(architecture: "mlp-64-16-4", seed: 1)))
        }
        expect(.invalidArgument, "answers") { _ = try Self.resume(bytes, answers: .labels) }
        expect(.invalidArgument, "option.seed was \"0\" there, and is \"1\"") {
            _ = try Self.resume(bytes, nil, Self.options { $0.seed = 1 })
        }
        expect(.invalidArgument, "student") {
            _ = try Self.resume(bytes, nil, Self.options { $0.givenStudent = .network(try! Network(architecture: "mlp-64-9-4")) })
        }
        // What may be another.
        _ = try Self.resume(bytes, nil, Self.options { ($0.threads, $0.patience, $0.checkpoint) = (2, 50, "x") })
    }

    @Test func otherWeightsOfTheTeacherAndOtherImagesAreRefused() throws {
        let images = try Tensor([32, 64])
        let options = Self.options {
            ($0.imageSource, $0.data) = (.data, ImageData(images: images.pointer, labels: nil, count: 32))
        }
        func teacher(_ seed: UInt64) throws -> NetworkTeacher { NetworkTeacher(try Network(architecture: "mlp-64-16-4", seed: seed)) }
        let run = try Distillation(teacher: teacher(1), options)
        try run.step()
        let bytes = try Self.bytes(run)
        _ = try Self.resume(bytes, teacher(1), options)
        expect(.invalidArgument, "teacher.weights") { _ = try Self.resume(bytes, teacher(2), options) }
        expect(.invalidArgument, "images") { _ = try Self.resume(bytes, teacher(1)) }
        images[7] = 1
        expect(.invalidArgument, "images") { _ = try Self.resume(bytes, teacher(1), options) }
    }

    /// Of the same shape, and so what the file says of the student fits both.
    @Test func otherWeightsOfAGivenStudentAreRefused() throws {
        func given(_ student: GivenStudent) -> DistillationOptions { Self.options { $0.givenStudent = student } }
        func student(_ seed: UInt64) throws -> Network { try Network(architecture: "mlp-64-8-4", seed: seed) }
        let bytes = try Self.bytes(Self.run(given(.network(student(1)))))
        let again = try Self.bytes(Self.resume(bytes))  // without the host giving it
        #expect(again == bytes)
        _ = try Self.resume(again, nil, given(.network(student(1))))
        expect(.invalidArgument, "student.weights was") { _ = try Self.resume(bytes, nil, given(.network(student(2)))) }
    }

    /// A file of a release that had fewer options: what it does not name is as it is to begin with.
    @Test func optionsThatWereAddedSinceAreAsTheyBegin() throws {
        let bytes = try Self.bytes(Self.run(Self.options { $0.temperature = 2 }))
        _ = try Self.resume(Self.without("option.student_keeps", "nothing", in: bytes))
        expect(.invalidArgument, "option.temperature was not given there, and is \"2.0\"") {
            let older = try Self.without("option.temperature", "2.0", in: bytes)
            _ = try Self.resume(older, nil, Self.options { $0.temperature = 2 })
        }
    }

    /// With spaces in the option's place.
    private static func without(_ option: String, _ value: String, in bytes: [UInt8]) throws -> [UInt8] {
        let entry = Array("\"\(option)\":\"\(value)\",".utf8)
        let place = try #require((0...(bytes.count - entry.count)).first { bytes[$0..<($0 + entry.count)].elementsEqual(entry) })
        var other = bytes
        other.replaceSubrange(place..<(place + entry.count), with: [UInt8](repeating: 0x20, count: entry.count))
        return summedAnew(other)
    }

    private static func summedAnew(_ bytes: [UInt8]) -> [UInt8] {
        var (bytes, checksum) = (bytes, Checksum())
        bytes.withUnsafeBytes { checksum.add(UnsafeRawBufferPointer(rebasing: $0[..<(bytes.count - 8)])) }
        withUnsafeBytes(of: checksum.value) { bytes.replaceSubrange(bytes.count - 8..<bytes.count, with: $0) }
        return bytes
    }

    /// Numbers that no run comes to, in a file whose checksum is right.
    @Test func impossibleNumbersAreRefused() throws {
        let run = try Self.run()
        let bytes = try Self.bytes(run)
        let listing = StateListing()
        run.persist(Archive(listing))
        let data = listing.tensors.reduce(0) { $0 + $1.dimensions.reduce($1.type.bytes, *) }
        var (start, refused) = (bytes.count - 8 - data, 0)
        for tensor in listing.tensors {
            let size = tensor.dimensions.reduce(tensor.type.bytes, *)
            if tensor.type == .i64, tensor.dimensions.isEmpty {
                for number in [Int.min, -1, Int.max] {
                    var damaged = bytes
                    withUnsafeBytes(of: number) { damaged.replaceSubrange(start..<start + 8, with: $0) }
                    expect(.format, "it must be from") { _ = try Self.resume(Self.summedAnew(damaged)) }
                    refused += 1
                }
            }
            start += size
        }
        #expect(refused > 40)
    }

    /// With other bytes for a tensor, and the checksum of all.
    private static func altered(_ bytes: [UInt8], _ run: Distillation, _ name: String, to number: some Any) throws -> [UInt8] {
        let listing = StateListing()
        run.persist(Archive(listing))
        let sizes = listing.tensors.map { $0.dimensions.reduce($0.type.bytes, *) }
        let place = try #require(listing.tensors.firstIndex { $0.name == name })
        let start = bytes.count - 8 - sizes.reduce(0, +) + sizes[..<place].reduce(0, +)
        var altered = bytes
        withUnsafeBytes(of: number) { altered.replaceSubrange(start..<start + 8, with: $0) }
        var checksum = Checksum()
        altered.withUnsafeBytes { checksum.add(UnsafeRawBufferPointer(rebasing: $0[..<(bytes.count - 8)])) }
        withUnsafeBytes(of: checksum.value) { altered.replaceSubrange(bytes.count - 8..<bytes.count, with: $0) }
        return altered
    }

    @Test func labelsThatAreNoClassesAndSharesThatAreNoneAreRefused() throws {
        let images = try Tensor([32, 64])
        try [Int64](repeating: 1, count: 32).withUnsafeBufferPointer { labels in
            let options = Self.options {
                ($0.imageSource, $0.labelWeight) = (.data, 0.5)
                $0.data = ImageData(images: images.pointer, labels: labels.baseAddress, count: 32)
            }
            let run = try Self.run(options)
            let bytes = try Self.bytes(run)
            _ = try Self.resume(bytes, nil, options)
            for label in [-1, 4, 1 << 40] {
                let altered = try Self.altered(bytes, run, "replay.bank.labels", to: label)
                expect(.format, "labels[0]") { _ = try Self.resume(altered, nil, options) }
            }
            for share in [-Double.infinity, -1e300, 1.5] {
                let altered = try Self.altered(bytes, run, "progress.holdout_agreement", to: share)
                expect(.format, "holdout_agreement") { _ = try Self.resume(altered, nil, options) }
            }
        }
    }

    /// A student that the file has no weights for is refused before memory is touched for it.
    @Test func largeStudentsOfSmallFilesAreRefused() throws {
        let student = try Network(architecture: "mlp-64-8-4", seed: 1)
        let bytes = try Self.bytes(Self.run(Self.options { $0.givenStudent = .network(student) }))
        let (old, new) = (Array("\"student\":\"mlp-64-8-4\"".utf8), Array("\"student\":\"mlp-64-9-4\"".utf8))
        let place = try #require((0..<bytes.count - old.count).first { Array(bytes[$0..<$0 + old.count]) == old })
        var altered = bytes
        altered.replaceSubrange(place..<place + old.count, with: new)
        var checksum = Checksum()
        altered.withUnsafeBytes { checksum.add(UnsafeRawBufferPointer(rebasing: $0[..<(bytes.count - 8)])) }
        withUnsafeBytes(of: checksum.value) { altered.replaceSubrange(bytes.count - 8..<bytes.count, with: $0) }
        expect(.format, "no weights \"fc1.weight\" of its student") { _ = try Self.resume(altered) }
    }

    @Test func filesAppearWholeOrNotAtAll() throws {
        let folder = TemporaryFolder()
        let run = try Self.run()
        try run.save(path: folder["run.dafl"])
        #expect(folder.names == ["run.dafl"])
        let resumed = try Checkpoint(path: folder["run.dafl"])
        _ = try resumed.resume(teacher: StoppingTeacher(), answers: .automatic, resumed.options(nil)) { _, _ in }
        expect(.io, "/nowhere/run.dafl") { try run.save(path: "/nowhere/run.dafl") }
        #expect(run.progress.step == 2)
    }

    @Test func automaticOnesComeAsOftenAsAskedFor() throws {
        let folder = TemporaryFolder()
        let path = folder["run.dafl"]
        func options(_ seconds: Double, _ steps: Int) -> DistillationOptions {
            Self.options { ($0.checkpoint, $0.checkpointSeconds, $0.checkpointSteps) = (path, seconds, steps) }
        }
        func savedSteps(_ seconds: Double, _ steps: Int) throws -> [Int] {
            let options = options(seconds, steps)
            let automatic = try #require(AutomaticCheckpoint(options))
            let run = try Distillation(teacher: StoppingTeacher(), options)
            try automatic.begin(run, isSaved: false)
            var saved: [Int] = []
            for step in 1...6 {
                remove(path)
                try run.step()
                automatic.saveIfDue(run)
                if folder.names == ["run.dafl"] { saved.append(step) }
            }
            return saved
        }
        #expect(try savedSteps(1e9, 0) == [6])
        #expect(try savedSteps(1e9, 2) == [2, 4, 6])
        #expect(try savedSteps(0, 1) == [1, 2, 3, 4, 5, 6])
        #expect(AutomaticCheckpoint(Self.options()) == nil)
    }
}
