import Media

/// Decisions on the ends of segments and parts.
extension Segmenter {
    /// Ends the segment or the part before `frame` if it is due.
    mutating func cut(before frame: CodedFrame) throws -> Bool {
        guard let segment = open else { return false }
        let time = frame.decodeTime
        let elapsed = time - segment.start
        let isTooCostly = segment.cost > segmentByteLimit
        guard frame.kind == clockKind else {
            // Audio continues without pictures: segments must not wait for pictures, nor for their
            // bytes.
            let isLate = time - (lastTime[clockKind] ?? time) > 90_000
            guard isLate || isTooCostly, elapsed > 0,
                cutter.mustCut(after: elapsed, isTooCostly: isTooCostly)
            else { return false }
            return try cutSegment(
                at: min(time, segment.start + cutter.longest - 1), isIndependent: false)
        }
        if frame.isKeyFrame { cutter.noteKeyFrame(at: time, start: segment.start) }
        if frame.isKeyFrame, cutter.isDue(at: time, start: segment.start) {
            return try cutSegment(at: time, isIndependent: true)
        }
        if cutter.mustCut(after: elapsed, isTooCostly: isTooCostly) {
            return try cutSegment(at: time, isIndependent: frame.isKeyFrame)
        }
        guard let partTarget = cutter.partTarget,
            time + cutter.cadence.ticks - segment.partStart > partTarget, time > segment.partStart
        else { return false }
        return try closePart(at: time)
    }

    private mutating func cutSegment(at time: Int64, isIndependent: Bool) throws -> Bool {
        if !isIndependent { counts.forcedCuts += 1 }
        if let segment = open, time - segment.start >= cutter.longest {
            // No segment can span this gap, so the playlist shows that time continues behind it.
            let last = (lastTime[clockKind] ?? segment.start) + cutter.cadence.ticks
            try closeSegment(at: min(last, segment.start + cutter.longest - 1))
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
}
