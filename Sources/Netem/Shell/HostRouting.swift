import Glibc
import Processes

/// The way from a link's outer device to the outside: forwarding and address translation in the
/// machine's own network namespace.
///
/// Each change is noted in a file before it is made, and undone at the end; if the program was
/// killed, the next one undoes it (`sweep`).
final class HostRouting {
    /// Reason why the outside cannot be reached; nil if it can.
    private(set) var obstacle: String?

    private let note: Note
    private static let directory = "/run/millrace/links"

    /// Note of one link's changes; the file's name contains the namespace and the device.
    private struct Note {
        var namespace: String
        var device: String
        var owner: pid_t
        /// Field 22 of /proc/PID/stat, so that a reused process number is not taken for the owner.
        var ownerStart: String
        var prefix: String
        /// Device of the default route, and whether forwarding was on there.
        var uplink = ""
        var forwarding = ""

        var path: String { "\(HostRouting.directory)/\(namespace)-\(device)" }
        var isOwned: Bool { HostRouting.startTime(owner) == ownerStart }

        func save() -> Bool {
            SystemFiles.write(
                path, "\(owner) \(ownerStart) \(prefix) \(uplink) \(forwarding)\n", creating: 0o644)
        }

        init(
            namespace: String, device: String, owner: pid_t, ownerStart: String, prefix: String
        ) {
            self.namespace = namespace
            self.device = device
            self.owner = owner
            self.ownerStart = ownerStart
            self.prefix = prefix
        }

        init?(file name: String) {
            guard let dash = name.firstIndex(of: "-"),
                let text = ProcFile.read("\(HostRouting.directory)/\(name)")
            else { return nil }
            namespace = String(name[..<dash])
            device = String(name[name.index(after: dash)...])
            let fields = text.dropLast().split(separator: " ", omittingEmptySubsequences: false)
            guard fields.count == 5, let owner = pid_t(fields[0]) else { return nil }
            self.owner = owner
            ownerStart = String(fields[1])
            prefix = String(fields[2])
            uplink = String(fields[3])
            forwarding = String(fields[4])
        }
    }

    /// - Parameters:
    ///   - device: The link's outer device.
    ///   - prefix: The addresses to be translated, such as `100.64.0.0/30`.
    init(device: String, prefix: String) {
        mkdir("/run/millrace", 0o755)
        mkdir(Self.directory, 0o755)
        var note = Note(
            namespace: Self.namespace, device: device, owner: getpid(),
            ownerStart: Self.startTime(getpid()) ?? "", prefix: prefix)
        note.uplink = Self.uplink ?? ""
        if !note.uplink.isEmpty {
            // A setting that another link has turned on is not the machine's own setting.
            note.forwarding =
                Self.notes().first { $0.uplink == note.uplink && !$0.forwarding.isEmpty }?
                .forwarding ?? SystemFiles.firstLine(ProcFile.read(Self.forwarding(note.uplink)))
        }
        self.note = note
        guard note.save() else {
            obstacle =
                "\(Self.directory) cannot be written, and what is changed could not be undone"
            return
        }
        obstacle = enable()
    }

    /// Undoes the changes.
    func remove() { Self.undo(note) }

    /// Undoes the changes that killed programs have left in this network namespace.
    static func sweep() {
        for note in notes() where !note.isOwned { undo(note) }
        // The changes in a namespace that is gone went with it; only the note is left.
        let strangers = SystemFiles.list(directory).compactMap { Note(file: $0) }
            .filter { $0.namespace != namespace && !$0.isOwned }
        guard !strangers.isEmpty else { return }
        let living = livingNamespaces
        for note in strangers where !living.contains(note.namespace) { unlink(note.path) }
    }

    /// Numbers of the network namespaces that a process is in, or that a file keeps.
    private static var livingNamespaces: Set<String> {
        let processes = SystemFiles.list("/proc").filter { pid_t($0) != nil }
            .map { "/proc/\($0)/ns/net" }
        let files = SystemFiles.list("/run/netns").map { "/run/netns/\($0)" }
        return Set((processes + files).compactMap { number(ofNamespace: $0) })
    }

    private static func number(ofNamespace path: String) -> String? {
        var status = stat()
        return stat(path, &status) == 0 ? "\(status.st_ino)" : nil
    }

    private func enable() -> String? {
        guard !note.uplink.isEmpty else { return "this machine has no default route" }
        let table = note.device
        var isTranslated = false
        if let nft = Program.find("nft") {
            isTranslated = Program.succeeds(
                nft,
                [
                    "add table ip \(table); add chain ip \(table) out { type nat hook postrouting priority 100; }; add rule ip \(table) out ip saddr \(note.prefix) oifname != \"\(table)\" masquerade"
                ])
        } else if let iptables = Program.find("iptables") {
            isTranslated = Program.succeeds(iptables, ["-t", "nat", "-A"] + Self.rule(note))
        } else {
            return "address translation needs nft or iptables (apt-get install nftables)"
        }
        guard isTranslated else { return "the kernel refuses address translation" }
        guard SystemFiles.write(Self.forwarding(note.device), "1"),
            SystemFiles.write(Self.forwarding(note.uplink), "1")
        else { return "forwarding cannot be turned on" }
        return nil
    }

    private static func undo(_ note: Note) {
        if let nft = Program.find("nft") {
            _ = Program.succeeds(nft, ["delete table ip \(note.device)"])
        } else if let iptables = Program.find("iptables") {
            _ = Program.succeeds(iptables, ["-t", "nat", "-D"] + rule(note))
        }
        let others = notes().contains {
            $0.device != note.device && $0.uplink == note.uplink && $0.isOwned
        }
        if !note.uplink.isEmpty, note.forwarding == "0", !others {
            SystemFiles.write(forwarding(note.uplink), "0")
        }
        unlink(note.path)
    }

    private static func rule(_ note: Note) -> [String] {
        [
            "POSTROUTING", "-s", note.prefix, "!", "-o", note.device, "-m", "comment", "--comment",
            note.device, "-j", "MASQUERADE",
        ]
    }

    private static func notes() -> [Note] {
        let own = namespace + "-"
        return SystemFiles.list(directory).filter { $0.hasPrefix(own) }
            .compactMap { Note(file: $0) }
    }

    private static func forwarding(_ device: String) -> String {
        "/proc/sys/net/ipv4/conf/\(device)/forwarding"
    }

    /// Device of the default route.
    private static var uplink: String? {
        for line in (ProcFile.read("/proc/net/route") ?? "").split(separator: "\n").dropFirst() {
            let fields = line.split(separator: "\t")
            if fields.count > 7, fields[1] == "00000000", fields[7] == "00000000" {
                return String(fields[0])
            }
        }
        return nil
    }

    /// Number of this thread's network namespace.
    private static var namespace: String {
        number(ofNamespace: "/proc/thread-self/ns/net") ?? "0"
    }

    private static func startTime(_ pid: pid_t) -> String? {
        // Field 22 of proc(5).
        guard let fields = ProcFile.statFields(pid: pid), fields.count > 19 else { return nil }
        return String(fields[19])
    }
}
