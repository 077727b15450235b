import Media
import SimulationKernel
public import Statistics

/// The stamped frames of one rendition that a probe received in the steady window.
public struct HLSRenditionFrames: Codable, Sendable {
    /// Index of the rendition among the viewer's renditions.
    public var rendition: Int
    /// Stream number in the stamps; nil if no stamp came.
    public var streamID: UInt32?
    /// Number of stamped frames of the window, each counted once.
    public var windowFrames = 0
    public var duplicateFrames = 0
    /// Number of video frames without a stamp, over the whole run.
    public var unstampedFrames = 0
    /// Runs of successive segments, each given by the numbers of the window's frames that the run
    /// contains or should contain; at most `HLSProbeAccount.mostRuns`.
    public var runs: [Run] = []
    /// Delay from the intended time to the publication of the segment or part; empty if the origin
    /// does not state the publication.
    public var published = DelayHistogram()
    /// Delay from the intended time to the read which brought the frame's last byte.
    public var delay = DelayHistogram()
    /// Delay from the actual sending to the same read.
    public var uncorrectedDelay = DelayHistogram()

    /// Range of frame numbers, both ends included.
    public struct Run: Codable, Sendable, Hashable {
        public var first: UInt64
        public var last: UInt64
        /// Number of a frame that came.
        public var seen: UInt64
    }
}

/// Findings of a probe among the adaptive viewers.
public struct HLSProbeReport: Codable, Sendable {
    /// Renditions of which the probe received media, in ascending order.
    public var renditions: [HLSRenditionFrames] = []
    /// Number of segments, parts and initialization sections that could not be read; `problem` is
    /// the reason for the first.
    public var unreadable = 0
    public var problem: String?
}

/// Decides for each frame of a rendition whether it counts.
struct HLSProbeAccount {
    static let mostRuns = 1000

    private(set) var report: HLSRenditionFrames
    private var seen = FrameNumberSet()
    private var sequence: Int?
    /// Whether the window's frames continue in the latest run.
    private var isRunning = false
    /// Highest frame number of this run from before the window, or from before the probe's play
    /// request.
    private var lastBefore: UInt64?
    /// Highest number of this run in the window, and the lowest number after the window.
    private var highest: UInt64 = 0
    private var firstAfter: UInt64?

    init(rendition: Int) { report = HLSRenditionFrames(rendition: rendition) }

    /// Notes that a segment or part begins. Parts of one segment, and successive segments, form one
    /// run.
    mutating func begin(sequence new: Int) {
        if let sequence, new != sequence, new != sequence &+ 1 {
            isRunning = false
            lastBefore = nil
            firstAfter = nil
        }
        sequence = new
    }

    /// - Parameters:
    ///   - stamp: nil for a video frame without a stamp.
    ///   - arrival: arrival of the frame's last byte; this and the other times are CLOCK_MONOTONIC,
    ///     ns.
    ///   - joinedAt: time of the join; frames that were meant to be sent before it are not live.
    mutating func receive(
        _ stamp: FrameStamp?, arrival: Int64, published: Int64?, joinedAt: Int64,
        window: Window?
    ) {
        guard let stamp else {
            report.unstampedFrames += 1
            return
        }
        report.streamID = stamp.streamID
        guard seen.insert(stamp.frameNumber) else {
            report.duplicateFrames += 1
            return
        }
        let intended = stamp.intendedNanoseconds
        guard intended >= max(joinedAt, window?.startNanoseconds ?? .min) else {
            lastBefore = max(lastBefore ?? 0, stamp.frameNumber)
            return
        }
        guard intended < window?.endNanoseconds ?? .max else {
            // The frames before the first one after the window should have come.
            firstAfter = min(firstAfter ?? .max, stamp.frameNumber)
            if isRunning { extendRun() }
            return
        }
        guard isRunning || beginRun(at: stamp.frameNumber) else { return }
        highest = max(highest, stamp.frameNumber)
        extendRun()
        report.windowFrames += 1
        // The intended time and the publication come from the network.
        let delay = arrival &- intended
        report.delay.record(nanoseconds: delay)
        report.uncorrectedDelay.record(
            nanoseconds: delay &- Int64(stamp.latenessMicroseconds) * 1000)
        if let published { report.published.record(nanoseconds: published &- intended) }
    }

    private mutating func beginRun(at number: UInt64) -> Bool {
        guard report.runs.count < Self.mostRuns else { return false }
        isRunning = true
        highest = number
        let first = lastBefore.map { $0 < number ? $0 + 1 : number } ?? number
        report.runs.append(.init(first: first, last: number, seen: number))
        return true
    }

    private mutating func extendRun() {
        let due = firstAfter.map { $0 > 0 ? $0 - 1 : 0 } ?? 0
        report.runs[report.runs.count - 1].last = max(highest, due)
    }
}
