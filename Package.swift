// swift-tools-version: 6.2
// The manifest is the architecture: one table of targets, ordered from the floor up, and for each what it may import.
// `swift build --explicit-target-dependency-import-check error` holds the code against it; docs/ARCHITECTURE.md draws it.
import PackageDescription

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]
let security: [Target.Dependency] = [
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
    .product(name: "NIOTLS", package: "swift-nio"),
]
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let yaml: Target.Dependency = .product(name: "Yams", package: "Yams")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")

/// Deliberate bugs that the simulation has to find: in debug builds and in the simulator, never in what is shipped
/// (docs/TESTING.md, Simulation).
let plants: SwiftSetting =
    Context.environment["MARTLET_PLANTS"] == nil
    ? .define("PLANTS", .when(configuration: .debug)) : .define("PLANTS")

/// Settings of every Swift target.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .define("EXPENSIVE_CHECKS", .when(configuration: .debug)),
    plants,
    .treatAllWarnings(as: .error),
]

/// One layer of the architecture: a target, and the targets and packages it may import.
func layer(_ name: String, imports: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: imports, swiftSettings: settings)
}

func program(_ name: String, imports: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: imports, swiftSettings: settings)
}

func tests(_ name: String, imports: [Target.Dependency], excluding: [String] = []) -> Target {
    .testTarget(name: name, dependencies: imports, exclude: excluding, swiftSettings: settings)
}

let cLibraries: [Target] = [
    .target(name: "CChecksums"),
    .target(name: "CSystemCalls"),
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
]

let layers: [Target] = [
    // Floor.
    layer("Primitives", imports: ["CChecksums"]),
    layer("Environment", imports: ["Primitives"]),
    layer("DataModel", imports: ["Primitives"]),
    // Local.
    layer("CQL", imports: ["DataModel", "Primitives", "CLZ4"]),
    layer("Storage", imports: ["Environment", "DataModel", "Primitives", "CLZ4", "CZstd"]),
    layer("Cluster", imports: ["Environment", "DataModel", "Primitives", "CLZ4"]),
    // Distributed.
    layer("Coordination", imports: ["Cluster", "Storage", "Environment", "DataModel", "Primitives"]),
    // What operators ask of a node, and how it travels.
    layer("Administration", imports: ["Environment", "DataModel", "Primitives"]),
    // Meaning.
    layer("Query", imports: ["CQL", "Coordination", "Storage", "Cluster", "Environment", "DataModel", "Primitives"]),
    // One node, and its client.
    layer(
        "Server",
        imports: [
            "Query", "Administration", "CQL", "Coordination", "Storage", "Cluster", "Environment", "DataModel",
            "Primitives", logging,
        ]
    ),
    layer("MartletClient", imports: ["CQL", "Environment", "DataModel", "Primitives"]),
    // Worlds.
    layer("SystemHost", imports: ["Environment", "Primitives", "CSystemCalls"] + nio),
    // TLS for the streams of SystemHost, apart from it because BoringSSL takes minutes to build: only the program and this
    // layer's own tests stand on it.
    layer(
        "TLSHost",
        imports: ["SystemHost", "Environment", "Primitives", .product(name: "NIOCore", package: "swift-nio")]
            + security),
    layer("SimulatedHost", imports: ["Environment", "Primitives"]),
    layer(
        "Simulation",
        imports: [
            "Server", "MartletClient", "SimulatedHost", "Storage", "Cluster", "CQL", "Environment", "DataModel",
            "Primitives",
        ]),
    // Programs: what a person types, and the load they put on a node.
    layer("Shell", imports: ["MartletClient", "CQL", "Environment", "DataModel", "Primitives"]),
    layer("Bench", imports: ["MartletClient", "CQL", "Environment", "DataModel", "Primitives", histogram]),
    layer("Nodetool", imports: ["Administration", "Environment", "DataModel", "Primitives"]),
    layer(
        "DevelopmentCluster",
        imports: ["MartletClient", "Administration", "Environment", "DataModel", "Primitives"]),
    program(
        "martlet",
        imports: [
            "SystemHost", "TLSHost", "Server", "MartletClient", "Bench", "Shell", "Nodetool", "DevelopmentCluster",
            "Environment", "Primitives", arguments, yaml, logging,
        ]
    ),
    // Whole clusters in a seeded world. Nothing that is shipped contains it.
    program("martlet-simulate", imports: ["Simulation", "SystemHost", "Environment", arguments]),
]

let testTargets: [Target] = [
    tests("PrimitivesTests", imports: ["Primitives"]),
    tests("EnvironmentTests", imports: ["Environment", "SystemHost", "SimulatedHost", "Primitives"]),
    tests("DataModelTests", imports: ["DataModel", "Primitives"]),
    tests("CQLTests", imports: ["CQL", "DataModel", "Primitives"]),
    tests("StorageTests", imports: ["Storage", "SimulatedHost", "Environment", "DataModel", "Primitives"]),
    tests("ClusterTests", imports: ["Cluster", "SimulatedHost", "Environment", "DataModel", "Primitives"]),
    tests(
        "CoordinationTests",
        imports: ["Coordination", "Cluster", "Storage", "SimulatedHost", "Environment", "DataModel", "Primitives"]),
    tests(
        "QueryTests",
        imports: [
            "Query", "CQL", "Coordination", "Cluster", "Storage", "SimulatedHost", "Environment", "DataModel",
            "Primitives",
        ]),
    tests(
        "ShellTests",
        imports: ["Shell", "MartletClient", "CQL", "SimulatedHost", "Environment", "DataModel", "Primitives"]),
    tests("BenchTests", imports: ["Bench"]),
    tests(
        "AdministrationTests",
        imports: ["Administration", "SimulatedHost", "Environment", "DataModel", "Primitives"]),
    tests(
        "NodetoolTests",
        imports: ["Nodetool", "Administration", "SimulatedHost", "Environment", "DataModel", "Primitives"]),
    tests(
        "DevelopmentClusterTests",
        imports: [
            "DevelopmentCluster", "Administration", "SimulatedHost", "MartletClient", "Environment", "DataModel",
            "Primitives",
        ]),
    tests(
        "ServerTests",
        imports: [
            "Server", "Administration", "Simulation", "SimulatedHost", "MartletClient", "Query", "CQL", "Storage",
            "Environment", "DataModel", "Primitives", logging,
        ]),
    tests(
        "EndToEndTests",
        imports: [
            "Server", "SystemHost", "MartletClient", "CQL", "Storage", "Environment", "DataModel", "Primitives",
        ]),
    tests(
        "TLSHostTests",
        imports: [
            "TLSHost", "SystemHost", "Server", "Nodetool", "MartletClient", "CQL", "Environment", "DataModel",
            "Primitives",
        ],
        excluding: ["Resources"]),
    tests(
        "SimulationTests",
        imports: [
            "Simulation", "SimulatedHost", "MartletClient", "Server", "Storage", "CQL", "Environment", "DataModel",
            "Primitives",
        ]),
    tests("TidyTests", imports: []),
]

/// What measures (Benchmarks/README.md). It is there only when it is asked for, so that whoever builds the programs does
/// not build it; here and not in a package of its own because `package` access ends at the package.
let benchmarks: [Target] =
    Context.environment["MARTLET_BENCHMARKS"] == nil
    ? []
    : [
        .executableTarget(
            name: "martlet-floor", dependencies: ["SystemHost", "CQL", "Environment", "DataModel", "Primitives"],
            path: "Benchmarks/FloorServer", swiftSettings: settings),
        .executableTarget(
            name: "martlet-measure",
            dependencies: ["SystemHost", "Server", "CQL", "Environment", "DataModel", "Primitives"],
            path: "Benchmarks/InProcess", swiftSettings: settings),
        .executableTarget(
            name: "martlet-stream",
            dependencies: [
                "SystemHost", "Coordination", "Cluster", "Storage", "Environment", "DataModel", "Primitives",
            ],
            path: "Benchmarks/Streaming", swiftSettings: settings),
    ]

/// Names of targets, separated by commas: with MARTLET_ONLY set, the manifest holds these and what they stand on, so
/// that one layer and its tests build alone (docs/TESTING.md).
let wanted: [String] = Context.environment["MARTLET_ONLY"]?.split(separator: ",").map(String.init) ?? []

func chosen(from targets: [Target]) -> [Target] {
    if wanted.isEmpty { return targets }
    var names: Set<String> = Set(wanted)
    var pending: [String] = wanted
    while let name = pending.popLast() {
        guard let target = targets.first(where: { $0.name == name }) else { continue }
        for case .byNameItem(let needed, _) in target.dependencies where names.insert(needed).inserted {
            pending.append(needed)
        }
    }
    return targets.filter { names.contains($0.name) }
}

let package = Package(
    name: "martlet",
    products: wanted.isEmpty
        ? [
            .executable(name: "martlet", targets: ["martlet"]),
            .library(name: "MartletClient", targets: ["MartletClient", "SystemHost"]),
        ] : [],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: chosen(from: cLibraries + layers + benchmarks + testTargets),
    swiftLanguageModes: [.v6]
)
