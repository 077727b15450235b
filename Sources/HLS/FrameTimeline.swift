public import Media
import NIOCore

/// Prevents one stray timestamp from moving a stream's timeline; it has no clock and no I/O.
///
/// A frame is held if its time does not continue its track, until the next frames show what its
/// time means. If they continue the track without it, its time was stray, and the frame gets the
/// time that it should have had. A jump counts only if the next frames follow it; then the held
/// frames are released as they came, and the segmenter sees the jump. A track that stays away from
/// the other one is dropped, because both cannot be right and the other one continues.
public struct FrameTimeline: Sendable {
    /// Numbers of frames that did not continue their track, by outcome.
    public struct Counts: Sendable, Hashable {
        /// Frames that got the time that they should have had.
        public var restamped = 0
        /// Frames of a track that stayed away, and frames of jumps that no frame followed.
        public var dropped = 0
        /// Jumps that the next frames followed.
        public var jumps = 0

        public init() {}
    }

    public private(set) var counts = Counts()

    /// Latest time of each track; empty before two frames agree.
    private var line: [CodedFrame.Kind: Int64] = [:]
    /// Latest usual step of each track.
    private var steps: [CodedFrame.Kind: Int64] = [:]
    /// Held frames in the order of arrival.
    private var held: [CodedFrame] = []
    private var heldBytes = 0
    /// Timeline that the held frames would make.
    private var candidate = Candidate()

    private struct Candidate {
        var times: [CodedFrame.Kind: Int64] = [:]
        var count = 0
        /// Time of the main timeline when a frame last continued it.
        var since: Int64?
        /// Number of times that the candidate was started again without a frame that followed.
        var beginnings = 0
    }

    /// Ticks by which a frame may come before the last one of its track because of jitter.
    private static let jitter: Int64 = 4_500
    /// Ticks of a step that is usual at any frame rate.
    private static let shortStep: Int64 = 9_000
    /// Largest distance between two tracks in ticks.
    private static let skew = Segmenter.forwardLimit
    /// Distance in ticks from the other track at which a track that was away is back.
    private static let meeting: Int64 = 45_000
    /// Ticks for which a jump must continue if only video makes it, or only audio.
    private static let lonelySpan: (video: Int64, audio: Int64) = (180_000, 900_000)
    private static let frameLimit = 512
    /// Largest number of frames that wait for the first two that agree.
    private static let beginningLimit = 64
    /// Largest number of bytes of the held frames.
    public static let longestHeld = 2 << 20

    public init() {}

    /// Bytes of frames that may wait, `longestHeld` at most; frames beyond that are dropped.
    public var byteLimit = Self.longestHeld {
        didSet {
            guard heldBytes > byteLimit else { return }
            counts.dropped += held.count
            (held, heldBytes) = ([], 0)
        }
    }

    /// Processes the next frame, in the order of arrival. Returns the frames that have a certain
    /// time now.
    public mutating func admit(_ frame: CodedFrame) -> [CodedFrame] {
        if line.isEmpty { return begin(frame) }
        if isOnLine(frame) { return goOn(frame) }
        return hold(frame)
    }

    /// Stops waiting, because no more frames of this timeline come. Returns the frames that were
    /// held.
    public mutating func flush() -> [CodedFrame] {
        defer {
            (line, held, heldBytes) = ([:], [], 0)
            candidate = Candidate()
        }
        guard line.isEmpty else {
            var released: [CodedFrame] = []
            for kind in [CodedFrame.Kind.video, .audio] {
                guard let last = line[kind] else { continue }
                released += settle(kind, before: last + (steps[kind] ?? 3_600))
            }
            counts.dropped += held.count
            return released
        }
        let kept = held.filter { Self.agree($0, held[0]) }
        counts.dropped += held.count - kept.count
        return kept
    }

    // MARK: The line

    private static func follows(_ time: Int64, _ last: Int64) -> Bool {
        (-Segmenter.backwardLimit...Segmenter.forwardLimit).contains(time - last)
    }

    private static func agree(_ a: CodedFrame, _ b: CodedFrame) -> Bool {
        a.kind == b.kind
            ? follows(a.decodeTime, b.decodeTime)
            : (-skew...skew).contains(a.decodeTime - b.decodeTime)
    }

    private static func other(_ kind: CodedFrame.Kind) -> CodedFrame.Kind {
        kind == .video ? .audio : .video
    }

    private func isOnLine(_ frame: CodedFrame) -> Bool {
        let time = frame.decodeTime
        let other = line[Self.other(frame.kind)]
        guard let last = line[frame.kind] else {
            return other.map { (-Self.skew...Self.skew).contains(time - $0) } ?? false
        }
        if time - last < -Self.jitter { return false }
        let usual = max(Self.shortStep, 3 * (steps[frame.kind] ?? 0))
        if time - last <= usual { return true }
        // After a pause the track is back if its time is close to the other track's.
        return other.map { time - last <= Self.skew && abs(time - $0) <= Self.meeting } ?? false
    }

    private mutating func goOn(_ frame: CodedFrame) -> [CodedFrame] {
        let released = settle(frame.kind, before: frame.decodeTime)
        note(frame)
        if held.isEmpty {
            candidate = Candidate()
        } else {
            candidate.beginnings = 0
            // Audio that is away while video continues has not jumped. In the opposite case video
            // leads.
            if frame.kind == .video { candidate.since = nil }
        }
        return released + [frame]
    }

    private mutating func note(_ frame: CodedFrame) {
        if let last = line[frame.kind], frame.decodeTime > last {
            steps[frame.kind] = min(frame.decodeTime - last, Self.skew)
        }
        line[frame.kind] = frame.decodeTime
    }

    /// Settles the held frames of a track that now continues without them: one or two get the times
    /// that they should have had; more mean that the track is astray.
    private mutating func settle(
        _ kind: CodedFrame.Kind, before time: Int64
    ) -> [CodedFrame] {
        guard !held.isEmpty else { return [] }
        var strays = take { $0.kind == kind }
        candidate.times[kind] = nil
        candidate.count = held.count
        guard let last = line[kind], strays.count <= 2 else {
            counts.dropped += strays.count
            return []
        }
        counts.restamped += strays.count
        let room = max(0, time - last)
        for index in strays.indices {
            strays[index].decodeTime = last + room * Int64(index + 1) / Int64(strays.count + 1)
        }
        return strays
    }

    private mutating func take(_ isWanted: (CodedFrame) -> Bool) -> [CodedFrame] {
        let taken = held.filter(isWanted)
        held.removeAll(where: isWanted)
        heldBytes -= taken.reduce(0) { $0 + $1.payload.readableBytes }
        return taken
    }

    // MARK: Beginnings

    /// Handles frames before there is a timeline. Two frames that agree make a timeline; if there
    /// is video, they must be two video frames.
    private mutating func begin(_ frame: CodedFrame) -> [CodedFrame] {
        let hasPicture = frame.kind == .video || held.contains { $0.kind == .video }
        let isAgreed = held.contains {
            Self.agree(frame, $0)
                && (!hasPicture || frame.kind == .video || $0.kind == .video)
        }
        guard isAgreed else {
            held.append(frame)
            heldBytes += frame.payload.readableBytes
            while held.count > Self.beginningLimit || heldBytes > byteLimit {
                let first = held.removeFirst()
                heldBytes -= first.payload.readableBytes
                // A frame that is larger than the limit for all held frames does not wait.
                if held.isEmpty {
                    note(first)
                    return [first]
                }
                counts.dropped += 1
            }
            return []
        }
        let all = held + [frame]
        (held, heldBytes) = ([], 0)
        var released: [CodedFrame] = []
        for (index, var known) in all.enumerated() {
            if Self.agree(frame, known) {
                note(known)
                released.append(known)
            } else if all.count(where: { $0.kind == known.kind && !Self.agree(frame, $0) }) > 2 {
                counts.dropped += 1
            } else {
                let next = all[index...].first { $0.kind == known.kind && Self.agree(frame, $0) }
                let time = line[known.kind] ?? next.map { $0.decodeTime - 3_000 }
                known.decodeTime = max(0, time ?? frame.decodeTime)
                counts.restamped += 1
                released.append(known)
            }
        }
        return released
    }

    // MARK: Jumps

    private mutating func hold(_ frame: CodedFrame) -> [CodedFrame] {
        let (kind, time) = (frame.kind, frame.decodeTime)
        held.append(frame)
        heldBytes += frame.payload.readableBytes
        if extends(frame) {
            candidate.count += 1
        } else {
            let beginnings = candidate.beginnings + 1
            candidate = Candidate(count: 1, beginnings: beginnings)
            // Every frame has a different time: the timeline is lost, and the newest frame begins
            // another.
            if beginnings >= 4 { return restart(at: frame) }
        }
        candidate.times[kind] = time
        candidate.since = candidate.since ?? time
        if isFollowed(by: frame) { return accept() }
        if held.count > Self.frameLimit || heldBytes > byteLimit {
            counts.dropped += held.count
            (held, heldBytes) = ([], 0)
        }
        return []
    }

    private func extends(_ frame: CodedFrame) -> Bool {
        if let last = candidate.times[frame.kind] { return Self.follows(frame.decodeTime, last) }
        return candidate.times[Self.other(frame.kind)].map {
            (-Self.skew...Self.skew).contains(frame.decodeTime - $0)
        } ?? false
    }

    /// Whether enough frames followed the first held one.
    private func isFollowed(by frame: CodedFrame) -> Bool {
        let other = Self.other(frame.kind)
        if candidate.count >= 2, let last = line[frame.kind] ?? line[other],
            Self.follows(frame.decodeTime, last),
            held.count(where: { $0.kind == frame.kind }) >= 2
        {
            return true
        }
        guard candidate.count >= 3 else { return false }
        if line[other] == nil || candidate.times[other] != nil { return true }
        let span = frame.kind == .video ? Self.lonelySpan.video : Self.lonelySpan.audio
        return frame.decodeTime - (candidate.since ?? frame.decodeTime) >= span
    }

    /// Makes the held frames the timeline.
    private mutating func accept() -> [CodedFrame] {
        let wasFar = held.contains { frame in
            (line[frame.kind] ?? line[Self.other(frame.kind)]).map {
                !Self.follows(frame.decodeTime, $0)
            } ?? false
        }
        if wasFar {
            counts.jumps += 1
            line = candidate.times
        } else {
            line.merge(candidate.times) { $1 }
        }
        let times = candidate.times
        let released = take { frame in
            times[frame.kind].map { Self.follows($0, frame.decodeTime) } ?? false
        }
        counts.dropped += held.count
        (held, heldBytes) = ([], 0)
        candidate = Candidate()
        return released
    }

    private mutating func restart(at frame: CodedFrame) -> [CodedFrame] {
        counts.dropped += held.count - 1
        counts.jumps += 1
        line = [:]
        (held, heldBytes) = ([], 0)
        candidate = Candidate()
        return begin(frame)
    }
}
