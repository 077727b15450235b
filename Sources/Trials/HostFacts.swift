import Processes
import Foundation
public import Results

extension Manifest.Host {
    /// This machine, from `/proc`.
    public static func current() -> Manifest.Host {
        var host = Manifest.Host()
        host.name = ProcessInfo.processInfo.hostName
        host.kernel = (ProcFile.read("/proc/sys/kernel/osrelease") ?? "")
            .trimmingCharacters(in: .whitespacesAndNewlines)
        host.cores = ProcessInfo.processInfo.activeProcessorCount
        let model = (ProcFile.read("/proc/cpuinfo") ?? "").split(separator: "\n")
            .first { $0.hasPrefix("model name") }?.split(separator: ":", maxSplits: 1).last
        host.cpuModel = model.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
        return host
    }
}
