import Scenario
import SimulationKernel
import Publisher
import Viewer

/// When one session of a viewer was there. Times on the monotonic clock, nanoseconds.
struct ViewerSession {
    var peer: ViewerPeer
    var askedAt: Int64?
    /// The first audio or video message; nil where none came.
    var firstMediaAt: Int64?
    /// nil = it was there to the end.
    var endedAt: Int64?

    init(_ report: LoadViewerReport, _ plan: Plan) {
        peer = plan.peer(ofSession: report.index, port: report.localPort)
        askedAt = report.askedAtNanoseconds
        firstMediaAt = report.firstMediaNanoseconds.flatMap { first in askedAt.map { $0 + first } }
        endedAt = report.endedAtNanoseconds
    }

    init(_ report: ProbeViewerReport, _ plan: Plan) {
        peer = plan.peer(ofSession: report.index, port: report.localPort)
        askedAt = report.askedAtNanoseconds
        firstMediaAt = report.firstMediaNanoseconds.map { report.askedAtNanoseconds + $0 }
        endedAt = report.endedAtNanoseconds
    }

    /// Seconds of the window that it spent playing: from its first media until it left.
    func seconds(in window: Window) -> Double {
        guard let firstMediaAt else { return 0 }
        let from = max(firstMediaAt, window.startNanoseconds)
        let to = min(endedAt ?? .max, window.endNanoseconds)
        return to > from ? Double(to - from) / 1e9 : 0
    }

    /// Which of the sessions that had one port, one after the other, asked to play at that moment.
    static func behind(_ sessions: [ViewerSession], at played: Int64) -> ViewerSession? {
        // The two clocks' difference is known to less than this.
        let tolerance: Int64 = 50_000_000
        let asked = sessions.filter { ($0.askedAt ?? .max) <= played + tolerance }
        return asked.max { ($0.askedAt ?? 0) < ($1.askedAt ?? 0) } ?? sessions.first
    }
}

extension Plan {
    /// How the wire sees a session's end of the connection.
    func peer(ofSession index: Int, port: Int) -> ViewerPeer {
        ViewerPeer(port: port, address: packetAddress(ofViewer: index % Self.sessionStride))
    }
}

/// Which frame the schedule meant to send when, in the steady window.
struct FrameSchedule {
    /// Frames sent in the last second before a viewer leaves may be under way still: they are due
    /// only where a later one has come.
    static let leaveGraceNanoseconds: Int64 = 1_000_000_000

    let first: UInt64
    let last: UInt64
    let firstIntended: Int64
    let lastIntended: Int64

    /// nil where no video frame was meant for the window.
    init?(_ stream: PublishedStreamReport) {
        guard let first = stream.windowFirstFrame, let last = stream.windowLastFrame,
            let firstIntended = stream.windowFirstIntendedNanoseconds,
            let lastIntended = stream.windowLastIntendedNanoseconds, last >= first
        else { return nil }
        (self.first, self.last) = (first, last)
        (self.firstIntended, self.lastIntended) = (firstIntended, lastIntended)
    }

    /// Returns the first frame of the window meant for `time` or later; `last + 1` where there is
    /// none. It is exact at the window's ends, and between them where the frame rate is constant.
    func frame(at time: Int64) -> UInt64 {
        guard time > firstIntended else { return first }
        guard time <= lastIntended else { return last + 1 }
        let share = Double(time - firstIntended) / Double(lastIntended - firstIntended)
        let place = (share * Double(last - first) - 1e-6).rounded(.up)
        return first + min(last - first, UInt64(max(0, place)))
    }

    /// Frames of the window that were sent while a probe played: from its first frame on (one that
    /// never got any: from the moment it asked) until it left.
    ///
    /// - Parameters:
    ///   - leaving: when it was planned to leave; nil = at the end.
    ///   - grace: how long before that frames may be under way still, nanoseconds.
    func due(
        to probe: ProbeViewerReport, leaving: Int64?, window: Window,
        grace: Int64 = Self.leaveGraceNanoseconds
    ) -> Range<UInt64> {
        let asked = probe.askedAtNanoseconds + (probe.firstFrameNanoseconds ?? 0)
        let from = max(first, probe.firstDueFrame ?? frame(at: asked))
        var end = leaving.map { frame(at: $0 - grace) } ?? last + 1
        if let came = probe.lastWindowFrame { end = max(end, min(came, last) + 1) }
        return from..<max(from, end)
    }

    /// Frames a second in the window; nil where there was one only.
    var framesPerSecond: Double? {
        guard last > first, lastIntended > firstIntended else { return nil }
        return Double(last - first) * 1e9 / Double(lastIntended - firstIntended)
    }
}
