import Publisher
import Scenario
import SimulationKernel
import Viewer

/// Times of one session of a viewer, in nanoseconds of the monotonic clock.
struct ViewerSession {
    var peer: ViewerPeer
    var askedAt: Int64?
    /// Arrival of the first audio or video message; nil if none came.
    var firstMediaAt: Int64?
    /// End of the session; nil = the session lasted until the end of the run.
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

    /// Seconds of the window in which the session played: from its first media until its end.
    func seconds(in window: Window) -> Double {
        guard let firstMediaAt else { return 0 }
        let from = max(firstMediaAt, window.startNanoseconds)
        let to = min(endedAt ?? .max, window.endNanoseconds)
        return to > from ? Double(to - from) / 1e9 : 0
    }

    /// Returns which of several successive sessions with the same port asked to play at a given
    /// time.
    static func behind(_ sessions: [ViewerSession], at played: Int64) -> ViewerSession? {
        // The offset between the two clocks is known with a smaller error than this.
        let tolerance: Int64 = 50_000_000
        let asked = sessions.filter { ($0.askedAt ?? .max) <= played + tolerance }
        return asked.max { ($0.askedAt ?? 0) < ($1.askedAt ?? 0) } ?? sessions.first
    }
}

extension Plan {
    /// Returns the viewer's end of a session's connection as the capture identifies it.
    func peer(ofSession index: Int, port: Int) -> ViewerPeer {
        ViewerPeer(port: port, address: packetAddress(ofViewer: index % Self.sessionStride))
    }
}

/// Frames that were scheduled in the steady window, and their times.
struct FrameSchedule {
    /// Frames that are sent in the last second before a viewer leaves may still be on their way.
    /// They are due only if a later frame has come.
    static let leaveGraceNanoseconds: Int64 = 1_000_000_000

    let first: UInt64
    let last: UInt64
    let firstIntended: Int64
    let lastIntended: Int64

    /// Makes the schedule of a stream's frames; nil if no video frame was scheduled in the window.
    init?(_ stream: PublishedStreamReport) {
        guard let first = stream.windowFirstFrame, let last = stream.windowLastFrame,
            let firstIntended = stream.windowFirstIntendedNanoseconds,
            let lastIntended = stream.windowLastIntendedNanoseconds, last >= first
        else { return nil }
        (self.first, self.last) = (first, last)
        (self.firstIntended, self.lastIntended) = (firstIntended, lastIntended)
    }

    /// Returns the first frame of the window meant for `time` or later; `last + 1` if there is
    /// none. The result is exact at the ends of the window, and between them if the frame rate is
    /// constant.
    func frame(at time: Int64) -> UInt64 {
        guard time > firstIntended else { return first }
        guard time <= lastIntended else { return last + 1 }
        let share = Double(time - firstIntended) / Double(lastIntended - firstIntended)
        let place = (share * Double(last - first) - 1e-6).rounded(.up)
        return first + min(last - first, UInt64(max(0, place)))
    }

    /// Returns the frames of the window that were sent while a probe played. They begin with the
    /// probe's first frame or, if it received none, at the time at which it asked to play, and end
    /// when it left.
    ///
    /// - Parameters:
    ///   - leaving: Time at which the probe was planned to leave; nil = at the end.
    ///   - grace: Length of the time before leaving in which sent frames may not have arrived yet,
    ///     in nanoseconds.
    func due(
        to probe: ProbeViewerReport, leaving: Int64?, window: Window,
        grace: Int64 = Self.leaveGraceNanoseconds
    ) -> Range<UInt64> {
        let asked = probe.askedAtNanoseconds + (probe.firstFrameNanoseconds ?? 0)
        // A server pushes a stream from its beginning: at a target every frame of the window is due,
        // even if the session came late.
        let from =
            probe.pushed == nil ? max(first, probe.firstDueFrame ?? frame(at: asked)) : first
        var end = leaving.map { frame(at: $0 - grace) } ?? last + 1
        if let came = probe.lastWindowFrame { end = max(end, min(came, last) + 1) }
        return from..<max(from, end)
    }

    /// Frames per second in the window; nil if the window has only one frame.
    var framesPerSecond: Double? {
        guard last > first, lastIntended > firstIntended else { return nil }
        return Double(last - first) * 1e9 / Double(lastIntended - firstIntended)
    }
}

extension PublishedStreamReport {
    /// Returns how many of these frames were not sent because of a planned gap. Frames of a gap
    /// before a session began, or after it ended, take nothing from what was due to it.
    func framesInGap(among frames: Range<UInt64>) -> Int {
        guard let first = windowFirstFrameInGap, let last = windowLastFrameInGap, last < .max
        else { return 0 }
        let begin = max(first, frames.lowerBound)
        let end = min(last + 1, frames.upperBound)
        return end > begin ? Int(clamping: end - begin) : 0
    }
}
