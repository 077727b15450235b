import Foundation

/// Programs and files that tests need besides the code.
package enum Programs {
    /// Path of the `millrace` that was built together with the tests; nil if it was not built.
    package static let millrace: String? = {
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        for directory in [bundle, Bundle.main.bundleURL].flatMap({
            [$0, $0.deletingLastPathComponent()]
        }) {
            let path = directory.appendingPathComponent("millrace").path
            var isDirectory: ObjCBool = false
            if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory),
                !isDirectory.boolValue
            {
                return path
            }
        }
        return nil
    }()

    /// Whether nginx with its RTMP module is installed.
    package static let hasNginx =
        FileManager.default.fileExists(atPath: "/usr/sbin/nginx")
        && FileManager.default.fileExists(atPath: "/usr/lib/nginx/modules/ngx_rtmp_module.so")

    /// Path of the source tree's root.
    package static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// Runs the program to its end; both of its outputs go into one pipe.
    ///
    /// - Returns: The exit code, and what the program wrote. A program that a signal ended, for
    ///   example after a trap, has a negative code.
    package static func run(_ arguments: [String]) throws -> (code: Int32, text: String) {
        guard let millrace else { throw CocoaError(.fileNoSuchFile) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: millrace)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let status = process.terminationStatus
        return (
            process.terminationReason == .exit ? status : -status,
            String(decoding: data, as: UTF8.self)
        )
    }
}
