/// The latest segments of one direction of a connection. They show copies that offloading has cut
/// up or merged on the way from one interface to another.
struct SegmentHistory {
    private struct Entry {
        var start: UInt32
        var length: Int
        var identification: UInt16
        var origin: UInt32
        var time: Int64
    }

    static let limit = 32
    /// Least length of a segment that offloading makes, except the last one.
    static let smallestSegment = 256

    private var entries: [Entry] = []
    private var next = 0

    var retainedBytes: Int { entries.count * MemoryLayout<Entry>.stride }

    mutating func add(_ segment: CapturedTCPSegment, origin: UInt32, time: Int64) {
        let entry = Entry(
            start: segment.sequence, length: segment.payloadLength,
            identification: segment.identity.identification, origin: origin, time: time)
        if entries.count < Self.limit {
            entries.append(entry)
        } else {
            entries[next] = entry
            next = (next + 1) % Self.limit
        }
    }

    /// Origins at which the latest segments hold all bytes of this segment; nil if some bytes are
    /// new, or the segment was sent again.
    func cover(_ segment: CapturedTCPSegment, origin: UInt32, time: Int64) -> [UInt32]? {
        guard segment.payloadLength > 0 else { return nil }
        let identification = segment.identity.identification
        var covered = 0
        var origins: [UInt32] = []
        var isProgressing = true
        while covered < segment.payloadLength, isProgressing {
            isProgressing = false
            for entry in entries {
                guard (time &- entry.time).magnitude <= UInt64(CopyFilter.window) else { continue }
                // This is the offset in the entry of the first byte that is wanted.
                let ahead = Int(
                    Int32(
                        bitPattern: segment.sequence &+ UInt32(truncatingIfNeeded: covered)
                            &- entry.start))
                guard ahead >= 0, ahead < entry.length else { continue }
                if entry.origin == origin {
                    // This interface has seen these bytes before, so they are sent again.
                    if identification == 0 { return nil }
                    continue
                }
                guard
                    Self.agrees(
                        identification, entry.identification, ahead: ahead, covered: covered)
                else { continue }
                covered += entry.length - ahead
                if !origins.contains(entry.origin) { origins.append(entry.origin) }
                isProgressing = true
                break
            }
        }
        return covered >= segment.payloadLength ? origins : nil
    }

    /// Whether the identifications agree: the segments that offloading makes of one have
    /// consecutive identifications.
    private static func agrees(
        _ own: UInt16, _ other: UInt16, ahead: Int, covered: Int
    ) -> Bool {
        guard own != 0 || other != 0 else { return true }
        guard own != 0, other != 0 else { return false }
        if covered > 0 {
            return Int(other &- own) <= covered / smallestSegment + 1
        }
        return ahead == 0 ? own == other : Int(own &- other) <= ahead / smallestSegment + 1
    }
}
