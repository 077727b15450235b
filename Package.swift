// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: language mode 6, private imports, explicit existentials.
/// `scripts/lint` and CI turn warnings into errors with `MILLRACE_STRICT=1`.
let strict: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (Context.environment["MILLRACE_STRICT"] == "1" ? [.treatAllWarnings(as: .error)] : [])

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let serviceLifecycle = Target.Dependency.product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle")

/// A Swift target of this package with its tests, if it has any.
func module(
    _ name: String, _ dependencies: [Target.Dependency], path: String? = nil,
    tests: [Target.Dependency]? = []
) -> [Target] {
    let target = Target.target(
        name: name, dependencies: dependencies, path: path, swiftSettings: strict)
    guard let tests else { return [target] }
    return [
        target,
        .testTarget(
            name: "\(name)Tests",
            dependencies: [.init(stringLiteral: name), "TestSupport"] + dependencies + tests,
            // Golden records are read, and rewritten, in the source tree.
            exclude: name == "Analysis" ? ["Fixtures"] : [],
            resources: ["Capture", "Media", "Scenario", "Simulations"].contains(name)
                ? [.copy("Fixtures")] : [],
            swiftSettings: strict),
    ]
}

let package = Package(
    name: "millrace",
    products: [
        .executable(name: "millrace", targets: ["millrace"]),
        // For Fuzz/, a package of its own.
        .library(name: "RTMP", targets: ["RTMP"]),
        .library(name: "Media", targets: ["Media"]),
        .library(name: "Capture", targets: ["Capture"]),
        .library(name: "Netem", targets: ["Netem"]),
        .library(name: "HLS", targets: ["HLS"]),
        .library(name: "HTTPWire", targets: ["HTTPWire"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(
            url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        [
            .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
            .target(
                name: "TestServer",
                dependencies: ["Server", .product(name: "Logging", package: "swift-log")],
                path: "Tests/TestServer", swiftSettings: strict),
            .testTarget(
                name: "TidyTests", dependencies: ["TestSupport"], swiftSettings: strict),
        ],
        // Tier 0
        module("SimulationKernel", []),
        [
            .systemLibrary(
                name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])])
        ],
        module("Digests", ["COpenSSL"]),
        module("Statistics", ["SimulationKernel"]),
        // Tier 1: sans-IO
        module("RTMP", ["Digests", nioCore]),
        module("Media", ["SimulationKernel", nioCore]),
        [
            .systemLibrary(
                name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])])
        ],
        module("HTTPWire", ["CZlib"], tests: ["SimulationKernel"]),
        module("HLS", ["SimulationKernel", "Media", "HTTPWire", nioCore]),
        module("Results", ["Statistics", "Digests"]),
        module("Gate", ["SimulationKernel", "Statistics"]),
        module("ABR", ["SimulationKernel", "Statistics", "Netem", "HLS"]),
        module(
            "Capture",
            ["SimulationKernel", "RTMP", "Media", "HLS", "HTTPWire", "Statistics", nioCore],
            tests: ["Sockets"]),
        module(
            "Netem",
            [
                "SimulationKernel", .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            path: "Sources/Netem/Model"),
        // Tier 2: sockets and devices
        [
            .systemLibrary(
                name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
            .target(name: "CLinux"),
        ],
        module(
            "Sockets", ["CLinux", nioCore, nioPosix, nioEmbedded, nioSSL], tests: nil),
        module("HTTPFetch", ["HTTPWire", "Sockets", nioCore, nioPosix, nioSSL], tests: nil),
        module("Processes", ["CLinux"]),
        module(
            "HLSValidation",
            ["HLS", "HTTPWire", "HTTPFetch", "Sockets", nioCore, nioPosix, nioSSL],
            tests: [
                nioHTTP1, "Server", "TestServer", "Publisher", "Media", "SimulationKernel", "CZlib",
                .product(name: "Logging", package: "swift-log"),
            ]),
        module(
            "NetemShell",
            [
                "Netem", "SimulationKernel", "Statistics", "Sockets", "Processes", "CLinux",
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            path: "Sources/Netem/Shell"),
        module(
            "CaptureLive", ["SimulationKernel", "Capture", "CPcap", "CLinux", nioCore], tests: nil),
        module(
            "Publisher",
            [
                "RTMP", "Media", "Statistics", "SimulationKernel", "Sockets", "Processes", "CLinux",
                nioCore, nioPosix, nioSSL,
                .product(name: "HeapModule", package: "swift-collections"),
            ], tests: ["Server", "TestServer"]),
        module(
            "Viewer",
            [
                "RTMP", "Media", "HLS", "HTTPWire", "ABR", "Statistics", "SimulationKernel",
                "Sockets", "CLinux",
                "Netem", nioCore, nioPosix, nioSSL,
                .product(name: "HeapModule", package: "swift-collections"),
            ],
            tests: ["Server", "Publisher", "TestServer"]),
        module(
            "Floor", ["RTMP", "Media", "Sockets", "CLinux", nioCore],
            tests: ["Publisher", "Viewer", "SimulationKernel", "Statistics"]),
        module(
            "Server",
            [
                "RTMP", "Media", "HLS", "SimulationKernel", "Statistics", "Sockets", "Processes",
                "CLinux", nioCore, nioPosix,
                nioHTTP1, nioSSL, "HTTPWire", "Netem", "Digests", serviceLifecycle,
                .product(name: "Logging", package: "swift-log"),
            ], tests: [nioEmbedded, "Publisher", "TestServer"]),
        // Tier 3
        module("Report", ["Results", "Statistics"], tests: []),
        module(
            "Scenario",
            [
                "SimulationKernel", "Results", "Netem", "ABR", "Media", "Sockets", "Processes",
                "NetemShell", "Viewer", "Server", .product(name: "Yams", package: "Yams"),
            ], tests: []),
        module(
            "Analysis",
            [
                "SimulationKernel", "Statistics", "Results", "Scenario", "Media", "Capture",
                "Publisher", "Viewer", "Server", "NetemShell", "Netem", nioCore,
            ], tests: ["Trials"]),
        module(
            "Workers",
            [
                "SimulationKernel", "Statistics", "Results", "Capture", "CaptureLive", "Publisher",
                "Viewer", "Server", "Floor", "Sockets", "Processes", "Netem", "NetemShell",
                .product(name: "Logging", package: "swift-log"),
            ]),
        module(
            "Stacks",
            [
                "SimulationKernel", "Statistics", "Scenario", "Workers", "Server", "Floor",
                "Sockets", "Processes", "NetemShell", "Results", "Media", "HLS", "HTTPWire",
                "HTTPFetch", nioPosix,
            ]),
        module(
            "Trials",
            [
                "SimulationKernel", "Statistics", "Results", "Scenario", "Analysis", "Workers",
                "Stacks", "Capture", "Publisher", "Viewer", "Server", "Floor", "Media", "HTTPWire",
                "Sockets", "Processes", "Netem", "NetemShell", "CLinux", nioCore,
            ], tests: ["Simulations", "Report"]),
        module(
            "Searches",
            [
                "SimulationKernel", "Statistics", "Results", "Scenario", "Trials",
            ], tests: ["Report"]),
        module(
            "Comparisons",
            ["Gate", "Statistics", "Results", "Scenario", "Processes", "Report"]),
        module(
            "Simulations",
            [
                "SimulationKernel", "Statistics", "Results", "Scenario", "ABR", "HLS", "Netem",
                "Viewer", .product(name: "Yams", package: "Yams"),
            ]),
        module(
            "Benches",
            [
                "SimulationKernel", "Statistics", "Results", "Scenario", "Workers", "Trials",
                "Simulations", "ABR", "Netem", "NetemShell", "Publisher", "Viewer", "Server",
                "Media", "Capture", "Sockets", "Processes", "CLinux", nioCore, nioPosix,
            ]),
        [
            .executableTarget(
                name: "millrace",
                dependencies: [
                    "Scenario", "Workers", "Stacks", "Analysis", "Trials", "Searches",
                    "Comparisons", "Gate", "Simulations",
                    "Benches", "Report", "Server", "Publisher", "Viewer", "Media", "HLS", "Sockets",
                    "SimulationKernel", "Statistics", "Results", "Capture", "CaptureLive", "ABR",
                    "Netem", "NetemShell", "CLinux", "Processes",
                    "HLSValidation", "HTTPWire",
                    .product(name: "ArgumentParser", package: "swift-argument-parser"),
                    .product(name: "Logging", package: "swift-log"), serviceLifecycle,
                    .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                ], swiftSettings: strict)
        ],
    ].flatMap { $0 }
)
