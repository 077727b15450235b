import Foundation

/// A process, told from later processes with the same number by its start time.
public struct ProcessIdentity: Hashable, Sendable {
    public var pid: Int32
    /// Time of the process's start in clock ticks since the machine's start (field 22 of proc(5)).
    public var startTicks: Int64

    public init(pid: Int32, startTicks: Int64) {
        self.pid = pid
        self.startTicks = startTicks
    }

    /// The process that has a number now; nil if there is none, or if it is a zombie.
    public init?(pid: Int32) {
        guard pid > 0, let fields = ProcFile.statFields(pid: pid) else { return nil }
        self.init(pid: pid, statFields: fields)
    }

    /// - Parameter fields: Fields of `/proc/<pid>/stat` from the state on.
    init?(pid: Int32, statFields fields: [Substring]) {
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X",
            let start = Int64(fields[19])
        else { return nil }
        self.init(pid: pid, startTicks: start)
    }

    /// Whether the process still runs.
    public var isAlive: Bool { ProcessIdentity(pid: pid) == self }

    /// The live descendants of a process: its children, their children and so on, without the
    /// process itself, in the order of their numbers.
    public static func descendants(of root: Int32) -> [ProcessIdentity] {
        var children: [Int32: [Int32]] = [:]
        var all: [Int32: ProcessIdentity] = [:]
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        for pid in names.compactMap({ Int32($0) }) {
            guard let fields = ProcFile.statFields(pid: pid), fields.count > 1,
                let parent = Int32(fields[1])
            else { continue }
            // A zombie may be the parent of processes that run.
            children[parent, default: []].append(pid)
            all[pid] = ProcessIdentity(pid: pid, statFields: fields)
        }
        var found: Set<Int32> = []
        var open = [root]
        while let next = open.popLast() {
            for child in children[next] ?? [] where found.insert(child).inserted {
                open.append(child)
            }
        }
        return found.subtracting([root]).sorted().compactMap { all[$0] }
    }
}
