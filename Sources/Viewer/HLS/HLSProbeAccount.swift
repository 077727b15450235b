import SimulationKernel
import Media
public import Statistics

/// The stamped frames that a probe had of one rendition, in the steady window.
public struct HLSRenditionFrames: Codable, Sendable {
    /// Of the viewer's renditions.
    public var rendition: Int
    /// Of the stamps; nil where none came.
    public var streamID: UInt32?
    /// Stamped frames of the window, each counted once.
    public var windowFrames = 0
    public var duplicateFrames = 0
    /// Video frames without a stamp, over the whole run.
    public var unstampedFrames = 0
    /// Stretches of successive segments, by the numbers of the window's frames that they hold or
    /// should hold; at most `HLSProbeAccount.mostRuns`.
    public var runs: [Run] = []
    /// Intended time → publication of the segment or part; empty where the origin does not say when.
    public var published = DelayHistogram()
    /// Intended time → the read which brought the frame's last byte.
    public var delay = DelayHistogram()
    /// Actual send → the same.
    public var uncorrectedDelay = DelayHistogram()

    /// Frame numbers, both ends included.
    public struct Run: Codable, Sendable, Hashable {
        public var first: UInt64
        public var last: UInt64
        /// One that came.
        public var seen: UInt64
    }
}

/// What a probe among the adaptive viewers found.
public struct HLSProbeReport: Codable, Sendable {
    /// By rendition, ascending; those that it had media of.
    public var renditions: [HLSRenditionFrames] = []
    /// Segments, parts and initialization sections that could not be read, and why the first.
    public var unreadable = 0
    public var problem: String?
}

/// Decides for each frame of a rendition whether it counts.
struct HLSProbeAccount {
    static let mostRuns = 1000

    private(set) var report: HLSRenditionFrames
    private var seen = FrameNumberSet()
    private var sequence: Int?
    /// Whether the window's frames go on in the latest run.
    private var isRunning = false
    /// The highest frame number of this run from before the window, or from before the probe asked.
    private var lastBefore: UInt64?
    /// Of this run: the highest number in the window, and the lowest one after it.
    private var highest: UInt64 = 0
    private var firstAfter: UInt64?

    init(rendition: Int) { report = HLSRenditionFrames(rendition: rendition) }

    /// A segment or part begins; those of one segment and of the next one are one run.
    mutating func begin(sequence new: Int) {
        if let sequence, new != sequence, new != sequence &+ 1 {
            isRunning = false
            lastBefore = nil
            firstAfter = nil
        }
        sequence = new
    }

    /// - Parameters:
    ///   - stamp: nil for a video frame without one.
    ///   - arrival: of its last byte; this and the other times are CLOCK_MONOTONIC, ns.
    ///   - joinedAt: what was meant to be sent before is not live.
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
            // Those before the first one after the window should have come.
            firstAfter = min(firstAfter ?? .max, stamp.frameNumber)
            if isRunning { extendRun() }
            return
        }
        guard isRunning || beginRun(at: stamp.frameNumber) else { return }
        highest = max(highest, stamp.frameNumber)
        extendRun()
        report.windowFrames += 1
        report.delay.record(nanoseconds: arrival - intended)
        report.uncorrectedDelay.record(
            nanoseconds: arrival - intended - Int64(stamp.latenessMicroseconds) * 1000)
        if let published { report.published.record(nanoseconds: published - intended) }
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
