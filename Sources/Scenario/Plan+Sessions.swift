package import NetemShell
import Viewer

/// The sessions of the plan's viewers, and the addresses that they come from.
extension Plan {
    /// The index of a viewer's second session is the viewer's own index plus this number, and so
    /// on.
    package static let sessionStride = 1_000_000

    /// Returns the planned end of a session, from the shared start time; nil = at the end of the
    /// run.
    package func leaveOffset(ofSession index: Int) -> Int64? {
        let viewer = viewers[index % Self.sessionStride]
        guard !viewer.watchNanoseconds.isEmpty else { return nil }
        return viewer.joinOffsetNanoseconds
            + viewer.watchNanoseconds.prefix(index / Self.sessionStride + 1).reduce(0, +)
    }

    /// Number of sessions of all viewers.
    package var sessionCount: Int { viewers.reduce(0) { $0 + max(1, $1.watchNanoseconds.count) } }

    /// Returns the address of a viewer behind the packet shell; nil for other viewers.
    package func packetAddress(ofViewer index: Int) -> IPv4Address? {
        viewers[index].link.flatMap { links[$0.link].packet }.map { _ in
            ShellNetwork.viewer(index)
        }
    }
}
