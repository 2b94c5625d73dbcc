// swift-tools-version: 6.2
import PackageDescription

// Data flows one way: numerics, networks, training, distillation, checkpoints, the C boundary; compression stands
// beside distillation, and files on disk beside all.
let package = Package(
    name: "dafl",
    products: [
        .library(name: "dafl", type: .dynamic, targets: ["CBoundary"])
    ],
    targets: [
        // C that Swift imports
        .systemLibrary(name: "CDafl", path: "include"),
        .systemLibrary(name: "CJansson", path: "Sources/System/CJansson", providers: [.apt(["libjansson-dev"])]),
        .target(name: "JanssonInput", path: "Sources/System/JanssonInput"),
        .target(name: "HostFloatingPoint", path: "Sources/System/HostFloatingPoint"),
        .target(name: "LaneKernels"),

        // The library
        .target(name: "Numerics", dependencies: ["LaneKernels"]),
        .target(name: "Networks", dependencies: ["Numerics"]),
        .target(
            name: "Formats", dependencies: ["Networks", "CJansson", "JanssonInput"],
            // Jansson is linked in from its archive, for this library alone; for --wrap see JanssonInput.
            linkerSettings: [
                .unsafeFlags(["-Xlinker", "--exclude-libs=libjansson.a", "-Xlinker", "--wrap=stdin"])
            ]),
        .target(name: "Training", dependencies: ["Networks"]),
        .target(name: "Distillation", dependencies: ["Training"]),
        .target(name: "Compression", dependencies: ["Training"]),
        .target(name: "Checkpoints", dependencies: ["Distillation", "Formats", "CDafl"]),
        .target(name: "CBoundary", dependencies: ["Checkpoints", "Compression", "CDafl", "HostFloatingPoint"], exclude: ["dafl.h.template"]),

        // Tests
        .target(name: "TestSupport", path: "Tests/Support"),
        .testTarget(name: "NumericsTests", dependencies: ["Numerics"]),
        .testTarget(name: "NetworksTests", dependencies: ["Networks"]),
        .testTarget(name: "FormatsTests", dependencies: ["Formats", "TestSupport"]),
        .testTarget(name: "TrainingTests", dependencies: ["Training"]),
        .testTarget(name: "CompressionTests", dependencies: ["Compression", "Formats", "TestSupport"]),
        .testTarget(name: "CheckpointsTests", dependencies: ["Checkpoints", "TestSupport"]),
        .testTarget(
            name: "DistillationTests", dependencies: ["Distillation", "Formats"], exclude: ["Fixtures"]),
    ],
    cLanguageStandard: .c11
)
