// Where a run happens. As root, a run on the embedded or nginx-rtmp stack executes itself again in
// a network namespace of its own: its loopback carries nothing else, and the congestion control is
// set on the namespace's loopback routes, which holds for servers that cannot be configured.
// Without root the run shares the machine's network and says so.

import CLinux
import Foundation
import Glibc
import Processes

/// A network namespace of the run's own: its loopback carries nothing else, and the congestion
/// control is set there for every socket, other people's servers included.
public enum NetworkIsolation {
    private static let marker = "MILLRACE_NETWORK_NAMESPACE"

    /// Whether this process already runs in such a namespace.
    public static var isEntered: Bool { getenv(marker) != nil }

    /// Moves into a new namespace and executes this program again with the same arguments.
    /// Returns (with the reason) only where that is not possible; the run then goes on without.
    public static func enter(congestionControl: String) -> String? {
        guard !isEntered else { return nil }
        guard geteuid() == 0 else { return "not root: the run shares the machine's network" }
        let code = millrace_enter_network_namespace()
        guard code == 0 else {
            return
                "no network namespace (\(String(cString: strerror(-code)))): the run shares the machine's network"
        }
        // A namespace's default may only be one of a short list; a route's may be any.
        for prefix in ["127.0.0.0/8", "127.0.0.1"] {
            let arguments = [
                "local", prefix, "dev", "lo", "proto", "kernel", "scope", "host", "src",
                "127.0.0.1", "table", "local", "congctl", congestionControl,
            ]
            guard replaceRoute(arguments) else { return noRoute }
        }
        setenv(marker, congestionControl, 1)
        var arguments: [UnsafeMutablePointer<CChar>?] =
            CommandLine.arguments.map { strdup($0) } + [nil]
        // This thread's signal mask goes on in the new program: with a dispatch worker's, no Ctrl-C
        // would reach it.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        execv("/proc/self/exe", &arguments)
        return "cannot execute again: \(String(cString: strerror(errno)))"
    }

    private static let noRoute =
        "cannot set the congestion control with 'ip route' (apt-get install iproute2)"

    /// The same for what this namespace sends to viewers behind a packet shell.
    /// - Throws: `ShellError`.
    public static func setForLinks(_ congestionControl: String) throws(ShellError) {
        let (prefix, length) = ShellNetwork.viewers
        guard
            replaceRoute([
                "\(prefix)/\(length)", "dev", ShellNetwork.serverDevice, "congctl",
                congestionControl,
            ])
        else { throw ShellError(noRoute) }
    }

    /// `ip` changes the network namespace of the calling thread.
    private static func replaceRoute(_ arguments: [String]) -> Bool {
        guard let ip = Program.find("ip") else { return false }
        return Program.succeeds(ip, ["route", "replace"] + arguments, output: .standardError)
    }

    /// The congestion control that sockets get here without asking for one.
    public static var defaultCongestionControl: String {
        if let entered = getenv(marker) { return String(cString: entered) }
        return (ProcFile.read("/proc/sys/net/ipv4/tcp_congestion_control") ?? "")
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
