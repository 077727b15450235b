import NetemShell
package import Processes
package import SimulationKernel
import Synchronization

/// A limit on the bytes that a server's HTTP port sends, all its connections together: a class of
/// the kernel's HTB on the loopback of the run's own namespace. The class goes with the namespace,
/// or with the next trial of a search, which is in the same namespace.
package enum OriginUplink {
    /// Whether a trial of this process has set a limit.
    private static let isSet = Mutex(false)

    /// Removes the limit of an earlier trial.
    package static func lift() {
        let wasSet = isSet.withLock { isSet in
            defer { isSet = false }
            return isSet
        }
        if wasSet { _ = changeQueues("qdisc del dev lo root") }
    }

    /// - Throws: `ProcessError` that says what is missing.
    package static func limit(port: Int, to rate: Bitrate) throws(ProcessError) {
        func fault(_ message: String) -> ProcessError {
            ProcessError(name: "stack.uplink", message: message)
        }
        guard NetworkIsolation.isEntered else {
            throw fault(
                "it needs a network namespace of the run's own: run as root, or leave uplink out")
        }
        lift()
        let bits = rate.bitsPerSecond
        // Loopback sends packets of 64 KiB; the queue holds a tenth of a second.
        let burst = max(262_144, bits / 8 / 1000)
        let queue = max(1 << 20, bits / 80)
        isSet.withLock { $0 = true }
        for line in [
            "qdisc add dev lo root handle 1: htb r2q 1000",
            "class add dev lo parent 1: classid 1:1 htb rate \(bits)bit ceil \(bits)bit "
                + "burst \(burst) cburst \(burst) quantum 65550",
            "qdisc add dev lo parent 1:1 bfifo limit \(queue)",
            "filter add dev lo parent 1: protocol ip prio 1 u32 match ip sport \(port) 0xffff "
                + "flowid 1:1",
        ] where !changeQueues(line) {
            throw fault(
                "tc refuses '\(line)'; it needs iproute2 (apt-get install iproute2) and a kernel "
                    + "with HTB ('millrace doctor' tells)")
        }
    }

    /// Runs `tc` with a line of its arguments; returns whether `tc` is installed and succeeded.
    private static func changeQueues(_ line: String) -> Bool {
        guard let tc = Program.find("tc") else { return false }
        return Program.succeeds(
            tc, line.split(separator: " ").map(String.init), output: .standardError)
    }
}
