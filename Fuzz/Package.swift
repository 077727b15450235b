// swift-tools-version: 6.2
import PackageDescription

/// Fuzz targets, apart from the main package: they only link with `-sanitize=fuzzer`.
/// `scripts/fuzz` builds and runs them.
let package = Package(
    name: "millrace-fuzz",
    dependencies: [
        .package(name: "millrace", path: ".."),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    ],
    targets: [
        .target(name: "CFuzzer"),
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "CFuzzer",
                .product(name: "RTMP", package: "millrace"),
                .product(name: "Media", package: "millrace"),
                .product(name: "Capture", package: "millrace"),
                .product(name: "Netem", package: "millrace"),
                .product(name: "HLS", package: "millrace"),
                .product(name: "HTTPWire", package: "millrace"),
                .product(name: "NIOCore", package: "swift-nio"),
            ], swiftSettings: [.swiftLanguageMode(.v6)]),
    ]
)
