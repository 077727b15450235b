import Foundation
import Glibc
import Processes
import SimulationKernel

/// A control group of the kernel, of version 1 or 2, and the processes in it and below it.
struct ControlGroup: Sendable {
    struct Fault: Error, Hashable, CustomStringConvertible {
        var description: String
    }

    /// Most groups below one group that are looked at, and most processes.
    static let groupLimit = 1000
    static let processLimit = 4096

    /// Path of the group's directory.
    let path: String

    /// Finds a group by the path of its directory, or by its path below a hierarchy as
    /// `/proc/PID/cgroup` and systemctl(1) name it.
    ///
    /// - Parameter root: Directory below which the hierarchies are mounted.
    /// - Throws: `Fault` with the nearest group that exists.
    init(_ name: String, root: String = "/sys/fs/cgroup") throws(Fault) {
        let below = name.hasPrefix("\(root)/") ? name.dropFirst(root.count) : name[...]
        let relative = below.split(separator: "/").joined(separator: "/")
        guard !relative.split(separator: "/").contains("..") else {
            throw Fault(description: "the cgroup '\(name)' has '..' in its path; give it without")
        }
        // Version 2 is mounted at the root; of version 1, each controller has its own hierarchy.
        let hierarchies =
            [root] + Self.children(of: root).map { "\(root)/\($0)" }
        let candidates =
            (name.hasPrefix("/") ? [name] : [])
            + hierarchies.map { relative.isEmpty ? $0 : "\($0)/\(relative)" }
        if let path = candidates.first(where: Self.isGroup) {
            self.path = path
            return
        }
        throw Fault(
            description: "there is no cgroup '\(name)'"
                + (Self.nearest(to: relative, in: hierarchies).map { "; did you mean '\($0)'?" }
                    ?? "; `systemd-cgls` lists them"))
    }

    private static func isGroup(_ path: String) -> Bool {
        access("\(path)/cgroup.procs", R_OK) == 0
    }

    private static func children(of directory: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.filter { isGroup("\(directory)/\($0)") }.sorted()
    }

    /// The group nearest to a path that does not exist: its deepest folder that exists decides.
    private static func nearest(to relative: String, in hierarchies: [String]) -> String? {
        let parts = relative.split(separator: "/").map(String.init)
        for depth in stride(from: parts.count - 1, through: 0, by: -1) {
            let parent = parts.prefix(depth).joined(separator: "/")
            for hierarchy in hierarchies {
                let folder = parent.isEmpty ? hierarchy : "\(hierarchy)/\(parent)"
                guard isGroup(folder),
                    let name = NameDistance.nearest(to: parts[depth], among: children(of: folder))
                else { continue }
                return parent.isEmpty ? name : "\(parent)/\(name)"
            }
        }
        return nil
    }

    /// The processes that are in the group or in a group below it now, in the order of their
    /// numbers; at most `processLimit`.
    var members: [ProcessIdentity] {
        var pids: Set<Int32> = []
        var open = [path]
        var seen = 0
        while let group = open.popLast(), seen < Self.groupLimit {
            seen += 1
            for line in (ProcFile.read("\(group)/cgroup.procs") ?? "").split(separator: "\n") {
                if let pid = Int32(line), pid > 0 { pids.insert(pid) }
            }
            open += Self.children(of: group).map { "\(group)/\($0)" }
        }
        return pids.sorted().prefix(Self.processLimit).compactMap { ProcessIdentity(pid: $0) }
    }
}
