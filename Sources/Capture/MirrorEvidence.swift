/// Whether a mirror port shows each packet twice: the same bytes at the same place, with nothing that
/// tells the two apart, not even an identification.
///
/// A sender repeats a packet no sooner than an answer to it can have come, and few of its packets;
/// a mirror repeats each of them, at once or as its queue lets it.
struct MirrorEvidence {
    /// What is repeated so soon is a copy, in nanoseconds: less than a round trip through a network.
    static let soon: UInt64 = 100_000
    /// Packets that were seen twice, at least, before late copies are believed.
    static let least = 3
    /// Packets over which is judged.
    static let memory = 512

    private var firsts = 0
    private var repeated = 0

    /// A packet is there for the first time.
    mutating func addFirst() {
        firsts += 1
        guard firsts > Self.memory else { return }
        firsts /= 2
        repeated /= 2
    }

    /// Whether a packet is the second half of a pair.
    /// - Parameters:
    ///   - sights: how often it was seen before at this place.
    ///   - nanoseconds: since the first time.
    mutating func isEcho(sights: UInt8, nanoseconds: UInt64) -> Bool {
        // The third one of a mirror is the first of what was sent again.
        guard sights % 2 == 1 else { return false }
        repeated += 1
        return nanoseconds <= Self.soon || repeated >= Self.least && repeated * 2 >= firsts
    }
}
