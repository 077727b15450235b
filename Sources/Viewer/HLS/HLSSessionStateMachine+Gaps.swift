import ABR

/// Segments that a rendition marks as missing (EXT-X-GAP, GAP=YES of its parts; rfc8216bis, 4.4.4.7
/// and 6.3.3): played from another rendition that has them, else passed over.
extension HLSSessionStateMachine {
    /// The rung lacks the wanted segment, or the next part of it.
    mutating func passGap(_ segment: Int, _ rung: Int, at time: Double) {
        if gap.segment != segment { gap = (segment, []) }
        gap.rungs.insert(rung)
        wanted = nil
        if let other = otherRung(than: rung) {
            // What is there of the segment stays: the other rendition goes on after it.
            let hasParts = partial.map { $0.nextPart > 0 } ?? false
            partial?.isKept = hasParts
            return act(player?.failed(askingAt: other, at: time), at: time)
        }
        counts.missingSegments += 1
        if let partial, partial.nextPart > 0 {
            wanted = (segment, rung)
            record(
                rung, firstByte: partial.firstByte, transfer: partial.transfer,
                bytes: Int(partial.bits / 8), size: nil, isCut: true)
            wanted = nil
        }
        partial = nil
        act(player?.missing(at: time), at: time)
    }

    /// The nearest rung that is not known to lack the segment: lower ones first.
    private func otherRung(than rung: Int) -> Int? {
        // A viewer that is to stay on one rendition stays.
        guard spec.rendition == nil else { return nil }
        let order = Array(rungs.indices[..<rung].reversed()) + rungs.indices[(rung + 1)...]
        return order.first { !gap.rungs.contains($0) }
    }
}
