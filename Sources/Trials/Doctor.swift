import Foundation
import Glibc
import NetemShell
import Processes
import Stacks

/// Findings about the abilities of this machine that Millrace needs, with remedies.
package struct Doctor: Sendable {
    package struct Finding: Codable, Sendable {
        package enum Level: String, Codable, Sendable {
            case ok, warning, missing
        }

        package var level: Level
        package var subject: String
        package var detail: String
        /// A command that mends the fault; empty if there is nothing to do.
        package var remedy: String
    }

    package init() {}

    package func examine() -> [Finding] {
        privileges + [descriptors, congestionControl] + shells + programs + [processors]
    }

    private func finding(
        _ level: Finding.Level, _ subject: String, _ detail: String, _ remedy: String = ""
    ) -> Finding {
        Finding(level: level, subject: subject, detail: detail, remedy: remedy)
    }

    private var privileges: [Finding] {
        guard geteuid() != 0 else {
            return [
                finding(
                    .ok, "privileges",
                    "root: runs get a network namespace and packet capture")
            ]
        }
        return [
            finding(
                .warning, "privileges",
                "not root: no packet capture, no network namespace; runs go on without and say so",
                "run as root, or: setcap cap_net_raw,cap_net_admin+ep .build/release/millrace")
        ]
    }

    private var descriptors: Finding {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let detail = "\(limit.rlim_max) descriptors a process: at most that many viewers each"
        return limit.rlim_max >= 10_000
            ? finding(.ok, "open files", detail)
            : finding(
                .warning, "open files", detail,
                "ulimit -n 20000, or spread viewers over processes (scenario key 'processes')")
    }

    private var congestionControl: Finding {
        let available = ProcFile.read("/proc/sys/net/ipv4/tcp_available_congestion_control") ?? ""
        let names = available.split { $0.isWhitespace }.map(String.init)
        return names.contains("cubic")
            ? finding(.ok, "congestion control", names.joined(separator: ", "))
            : finding(
                .warning, "congestion control",
                "cubic, the default of scenarios, is not among: \(names.joined(separator: ", "))",
                "modprobe tcp_cubic, or set congestion_control in the scenario")
    }

    /// The drivers of the link model, and whether each can run here.
    private var shells: [Finding] {
        let isRoot = geteuid() == 0
        let packet =
            ShellPrivilege.obstacle(asRoot: isRoot).map {
                finding(.warning, "packet shell", "cannot run: \($0)", "run as root; modprobe tun")
            }
            ?? finding(
                .ok, "packet shell",
                isRoot
                    ? "root: 'millrace link', 'bench link'"
                    : "user namespace: 'bench link'; 'millrace link' with the server inside 'unshare -Urn'"
            )
        guard let obstacle = KernelShell.obstacle() else {
            return [
                packet,
                finding(
                    .ok, "kernel shell",
                    "HTB: rates; netem: "
                        + (KernelShell.hasNetem
                            ? "there, not used" : "not in this kernel, so no delay and no loss")),
            ]
        }
        return [
            packet, finding(.warning, "kernel shell", "cannot run: \(obstacle)", "run as root"),
        ]
    }

    private var programs: [Finding] {
        let wanted: [(String, String, String)] = [
            ("ffmpeg", "ffmpeg", "files other than FLV as sources; tests"),
            ("nginx", "nginx-light libnginx-mod-rtmp", "the nginx-rtmp stack"),
            ("nft", "nftables", "the way outside from 'millrace link'"),
            ("ip", "iproute2", "the congestion control in a run's network namespace"),
            ("tshark", "tshark", "tests"), ("rtmpdump", "rtmpdump", "tests"),
            ("tcpdump", "tcpdump", "tests"),
        ]
        let srs =
            SRSProgram.path.map { finding(.ok, "srs", "\($0) (driver: srs)") }
            ?? finding(
                .missing, "srs", "not installed; needed for the srs stack only", SRSProgram.remedy)
        let packaged = wanted.map { program, package, purpose -> Finding in
            guard let found = Program.find(program) else {
                return finding(
                    .missing, program, "not installed; needed for \(purpose)",
                    "apt-get install \(package)")
            }
            return finding(.ok, program, "\(found) (\(purpose))")
        }
        return [srs] + packaged
    }

    private var processors: Finding {
        let count = ProcessInfo.processInfo.processorCount
        return count >= 2
            ? finding(.ok, "processors", "\(count)")
            : finding(
                .warning, "processors",
                "one: server and generators share it, and benches refuse to run")
    }
}
