import Media

/// Decision on the ends of segments and parts.
extension Segmenter {
    /// Ends the segment or the part before `frame` if it is time.
    mutating func cut(before frame: CodedFrame) throws -> Bool {
        guard let segment = open else { return false }
        let time = frame.decodeTime
        let elapsed = time - segment.start
        guard frame.kind == clockKind else {
            // Audio continues without pictures: segments must not wait for pictures, nor for their
            // bytes.
            let isLate = time - (lastTime[clockKind] ?? time) > 90_000
            guard isLate || segment.cost > segmentByteLimit, elapsed > 0,
                mustCut(elapsed, segment)
            else { return false }
            return try cutSegment(
                at: min(time, segment.start + longest - 1), isIndependent: false)
        }
        if frame.isKeyFrame {
            longestGroup = max(longestGroup, time - (lastKeyTime ?? segment.start))
            lastKeyTime = time
        }
        if frame.isKeyFrame, isDue(elapsed, time, segment) {
            return try cutSegment(at: time, isIndependent: true)
        }
        if mustCut(elapsed, segment) {
            return try cutSegment(at: time, isIndependent: frame.isKeyFrame)
        }
        guard let partTarget, time + cadence.ticks - segment.partStart > partTarget,
            time > segment.partStart
        else { return false }
        return try closePart(at: time)
    }

    /// Ticks by which a key frame may come early.
    private var tolerance: Int64 { min(9_000, segmentTicks / 20) }

    private func isDue(_ elapsed: Int64, _ time: Int64, _ segment: OpenSegment) -> Bool {
        if isFirstOfEpoch {
            let boundary = (segment.start + tolerance) / segmentTicks * segmentTicks + segmentTicks
            return time >= boundary - tolerance
        }
        return elapsed >= segmentTicks - tolerance
    }

    /// Whether one more frame would break the target duration or a limit.
    private func mustCut(_ elapsed: Int64, _ segment: OpenSegment) -> Bool {
        if segment.cost > segmentByteLimit { return elapsed > 0 }
        guard targetDuration != nil else {
            return elapsed >= Int64(configuration.firstSegmentLimit * 90_000)
        }
        return elapsed + cadence.ticks >= longest
    }

    /// Ticks below which the unfinished segment must stay. Before the first segment is whole, a gap
    /// may extend it beyond its limit.
    var longest: Int64 {
        targetDuration.map(Self.longestSegment)
            ?? Int64(configuration.firstSegmentLimit * 90_000) + Self.forwardLimit
    }

    /// Ticks below which a segment must stay, so that its duration, rounded, is the target.
    static func longestSegment(_ targetDuration: Int) -> Int64 {
        Int64(targetDuration) * 90_000 + 45_000
    }

    private mutating func cutSegment(at time: Int64, isIndependent: Bool) throws -> Bool {
        if !isIndependent { counts.forcedCuts += 1 }
        if let segment = open, time - segment.start >= longest {
            // No segment can span this gap, so the playlist shows that time continues behind it.
            let last = (lastTime[clockKind] ?? segment.start) + cadence.ticks
            try closeSegment(at: min(last, segment.start + longest - 1))
            nextIsDiscontinuity = true
            counts.discontinuities += 1
        } else {
            try closeSegment(at: time)
        }
        open = OpenSegment(
            start: time, isDiscontinuity: nextIsDiscontinuity, isIndependent: isIndependent)
        nextIsDiscontinuity = false
        return true
    }

    /// Chooses EXT-X-TARGETDURATION and PART-TARGET by the first segment.
    mutating func chooseTargets(first ticks: Int64) {
        guard targetDuration == nil else { return }
        // The first segment may be short; the following segments hold whole groups of pictures.
        let groups = longestGroup > 0 ? (segmentTicks - tolerance - 1) / longestGroup + 1 : 0
        let longest = max(ticks, groups * longestGroup)
        let rounded = Int((Double(longest) / 90_000).rounded())
        let target = max(1, Int(configuration.segmentDuration.rounded(.up)), rounded)
        targetDuration = target
        guard let wanted = configuration.partDuration else { return }
        // The part target is a number of whole frames that fit, with a millisecond for the rounding
        // of timestamps.
        let part = Int64(wanted * 90_000)
        let frames = max(1, (Double(part) / cadence.meanTicks + 0.05).rounded(.down))
        let fitting = (Int64(frames * cadence.meanTicks) + 90 + 89) / 90 * 90
        // If many frames fit, a part that lacks one is still long enough.
        let isRoomy = 100 * (part - cadence.ticks) >= 85 * part
        partTarget = min(isRoomy ? max(part, fitting) : fitting, Int64(target) * 90_000)
    }
}
