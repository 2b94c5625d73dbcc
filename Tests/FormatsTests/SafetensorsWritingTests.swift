import Formats
import Glibc
import Numerics
import TestSupport
import Testing

@Suite struct SafetensorsWritingTests {
    private let folder = TemporaryFolder()

    private func tensor(_ dimensions: [Int], _ numbers: [Float]) throws -> Tensor {
        let tensor = try Tensor(dimensions)
        for (i, number) in numbers.enumerated() { tensor[i] = number }
        return tensor
    }

    private func write(_ name: String) throws {
        try SafetensorsFile.write(path: folder[name], tensors: [("a", tensor([1], [2]))])
    }

    @Test func theBytesAreTheFormats() throws {
        try SafetensorsFile.write(
            path: folder["a"], metadata: ["z": "\"\\\n\u{1f}/é", "b": ""],
            tensors: [("w", tensor([2, 1], [1, -2])), ("scalar", tensor([], [0.5]))])
        let header = #"{"__metadata__":{"b":"","z":"\"\\\u000a\u001f/é"},"#
            + #""w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"#
            + #""scalar":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}"# + "    "
        #expect(Array(header.utf8).count == 168)
        #expect(folder.bytes(of: "a") == [168, 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8)
            + [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0, 0, 0, 0, 0x3F])
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let metadata = ["": "empty", "é\"\\\t": "\u{1}\u{7f}\u{2028}日本", "format": "pt"]
        let values: [Float] = [.nan, .infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 1]
        try SafetensorsFile.write(
            path: folder["a"], metadata: metadata, tensors: [("日本", tensor([1, 2, 3], values)), ("", tensor([], [4]))])
        let file = try SafetensorsFile(path: folder["a"])
        #expect(file.metadata == metadata && file.tensors.map(\.name) == ["日本", ""])
        let back = try file.tensor(named: "日本")
        #expect(back.shape.dimensions == [1, 2, 3])
        for (i, value) in values.enumerated() { #expect(back[i].bitPattern == value.bitPattern) }
    }

    @Test func namesThatAreTakenAreRefused() throws {
        let value = try tensor([1], [1])
        for name in ["__metadata__", "a"] {
            expectError(.invalidArgument, naming: folder["a"]) {
                try SafetensorsFile.write(path: folder["a"], tensors: [("a", value), (name, value)])
            }
        }
        #expect(folder.names.isEmpty)
    }

    @Test func whereNoFileCanBeNothingIsLeft() throws {
        try #require(mkdir(folder["folder"], 0o700) == 0 && mkfifo(folder["pipe"], 0o600) == 0)
        folder.write([], to: "file")
        let before = folder.names
        let longName = String(repeating: "a", count: 256)
        for name in ["folder", "folder/", "pipe", "none/a", "file/a", "file/", "new/", longName, ""] {
            expectError(.io, naming: folder.path) { try write(name) }
            #expect(folder.names == before)
        }
        expectError(.io) { try SafetensorsFile.write(path: "", tensors: []) }
    }

    /// In a process of its own, whose files may not grow.
    @Test func aWriteThatFailsHalfwayLeavesTheOldFile() async {
        await #expect(processExitsWith: .success) {
            let folder = TemporaryFolder()
            folder.write([1, 2, 3], to: "a")
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 4096, rlim_max: rlim_t.max)
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            let large = try Tensor([2000])
            for path in [folder["a"], folder["b"]] {
                expectError(.io, naming: path) { try SafetensorsFile.write(path: path, tensors: [("a", large)]) }
            }
            #expect(folder.names == ["a"] && folder.bytes(of: "a") == [1, 2, 3])
        }
    }

    @Test func aNewFileHasTheUsualPermissionsAndAnOldOneKeepsIts() throws {
        folder.write([], to: "usual")
        try write("new")
        #expect(folder.permissions(of: "new") == folder.permissions(of: "usual"))
        folder.write([], to: "old")
        try #require(chmod(folder["old"], 0o640) == 0)
        try write("old")
        #expect(folder.permissions(of: "old") == 0o640 && folder.bytes(of: "old") == folder.bytes(of: "new"))
    }

    @Test func whatALinkPointsToIsReplaced() throws {
        folder.write([1], to: "file")
        try #require(symlink("file", folder["link"]) == 0)
        try write("link")
        try write("new")
        var status = stat()
        #expect(lstat(folder["link"], &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
        #expect(folder.bytes(of: "file") == folder.bytes(of: "new"))
        #expect(folder.names == ["file", "link", "new"])
    }

    @Test func aTemporaryFileOfAnotherWriterIsNotTouched() throws {
        let other = ".dafl-\(getpid())-0"
        folder.write([1, 2, 3], to: other)
        try write("a")
        #expect(folder.bytes(of: other) == [1, 2, 3] && folder.names == [other, "a"])
    }
}
