/// Evidence that a mirror port shows each packet twice: the same bytes at the same place, with
/// nothing that distinguishes the two, not even an identification.
///
/// A sender repeats a packet no sooner than a response to it can have arrived, and it repeats only
/// few of its packets. A mirror repeats each packet, at once or as its queue allows.
struct MirrorEvidence {
    /// Time in nanoseconds within which a repetition is a copy: less than a round trip through a
    /// network.
    static let soon: UInt64 = 100_000
    /// Least number of packets seen twice before late copies are accepted as such.
    static let least = 3
    /// Number of packets over which the evidence is judged.
    static let memory = 512

    private var firsts = 0
    private var repeated = 0

    /// Counts a packet that is there for the first time.
    mutating func addFirst() {
        firsts += 1
        guard firsts > Self.memory else { return }
        firsts /= 2
        repeated /= 2
    }

    /// Whether a packet is the second half of a pair.
    /// - Parameters:
    ///   - sights: Number of times that the packet was seen before at this place.
    ///   - nanoseconds: Time since the first sight.
    mutating func isEcho(sights: UInt8, nanoseconds: UInt64) -> Bool {
        // The third sight at a mirror is the first sight of a packet that was sent again.
        guard sights % 2 == 1 else { return false }
        repeated += 1
        return nanoseconds <= Self.soon || repeated >= Self.least && repeated * 2 >= firsts
    }
}
