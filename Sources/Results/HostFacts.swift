import Foundation

extension Manifest.Host {
    /// Facts of this machine, read from `/proc`.
    public static func current() -> Manifest.Host {
        var host = Manifest.Host()
        host.name = ProcessInfo.processInfo.hostName
        host.kernel = (text(of: "/proc/sys/kernel/osrelease") ?? "")
            .trimmingCharacters(in: .whitespacesAndNewlines)
        host.cores = ProcessInfo.processInfo.activeProcessorCount
        let model = (text(of: "/proc/cpuinfo") ?? "").split(separator: "\n")
            .first { $0.hasPrefix("model name") }?.split(separator: ":", maxSplits: 1).last
        host.cpuModel = model.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
        return host
    }

    private static func text(of path: String) -> String? {
        try? String(contentsOfFile: path, encoding: .utf8)
    }
}
