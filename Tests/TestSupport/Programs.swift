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
}
