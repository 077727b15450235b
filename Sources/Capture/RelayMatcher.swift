/// Finds the incoming message of each message that a server sends to one subscriber.
///
/// The matching is anchored on contents that are in the ingress window once (or that occur again
/// only when a file starts over: then the relay must take less than a loop). A repeated content
/// (silence, skipped frames) is matched only if it directly follows a matched message in both
/// sequences, and it counts only once the next anchor shows that nothing was left out in between.
struct RelayMatcher {
    /// Outcome of some message.
    enum Outcome {
        /// The message came in at the first time and went out at the second, in ns since 1970.
        case matched(ingress: Int64, egress: Int64)
        /// No message in the window has this content, or several have it and the right one cannot
        /// be determined.
        case unmatched(egress: Int64)
        /// This number of messages that came in were left out before this time.
        case missing(Int, egress: Int64)
    }

    /// Largest number of successive repeated contents that wait for an anchor; beyond it they are
    /// accepted.
    static let tentativeLimit = 1024

    private struct Chain {
        /// Index and ordinal of the last matched message of the kind.
        var last: Int?
        var ordinal = 0
        /// Whether each message of the kind has matched since then.
        var isIntact = false
        var unmatchedSince = 0
        var tentative: [(ingress: Int64, egress: Int64)] = []
    }

    private var chains = [Chain(), Chain()]
    /// Index of the incoming message that the last message of any kind matched.
    private var lastMatched: Int?
    private var highest = -1
    /// Whether the server sends audio and video in another order than they came in.
    private var reorders = false

    /// Matched messages with no anchor after them yet.
    var tentative: [(ingress: Int64, egress: Int64)] { chains.flatMap(\.tentative) }

    /// Processes the next message to the subscriber. Returns the time at which the message came in,
    /// if it is certain now.
    mutating func receive(
        hash: UInt64, isVideo: Bool, time: Int64, in window: IngressWindow,
        emit: (Outcome) -> Void
    ) -> Int64? {
        let kind = isVideo ? 1 : 0
        let candidate = follower(hash, kind, window)
        if let anchor = window.anchor(of: hash),
            // If the content loops, the copy that directly follows is the better choice.
            case let index = anchor.isLooped ? candidate ?? anchor.index : anchor.index,
            let entry = window[index], index > chains[kind].last ?? -1
        {
            settle(kind, isConfirmed: candidate == index, emit)
            advance(kind, to: index, entry, time, emit)
            if index < highest { reorders = true }
            highest = max(highest, index)
            emit(.matched(ingress: entry.time, egress: time))
            return entry.time
        }
        if let candidate, let entry = window[candidate] {
            advance(kind, to: candidate, entry, time, emit)
            highest = max(highest, candidate)
            chains[kind].tentative.append((entry.time, time))
            if chains[kind].tentative.count > Self.tentativeLimit {
                settle(kind, isConfirmed: true, emit)
            }
            return nil
        }
        chains[kind].isIntact = false
        chains[kind].unmatchedSince += 1
        lastMatched = nil
        emit(.unmatched(egress: time))
        return nil
    }

    /// Incoming message that would directly follow, if it has this content.
    private func follower(_ hash: UInt64, _ kind: Int, _ window: IngressWindow) -> Int? {
        let chain = chains[kind]
        if !reorders, let lastMatched, lastMatched + 1 > chain.last ?? -1,
            window[lastMatched + 1]?.hash == hash
        {
            return lastMatched + 1
        }
        if chain.isIntact, let last = chain.last, let next = window[last]?.nextOfKind,
            window[next]?.hash == hash
        {
            return next
        }
        return nil
    }

    private mutating func advance(
        _ kind: Int, to index: Int, _ entry: IngressWindow.Entry, _ time: Int64,
        _ emit: (Outcome) -> Void
    ) {
        if chains[kind].last != nil {
            let passed = entry.ordinal - chains[kind].ordinal - 1
            let missing = passed - chains[kind].unmatchedSince
            if missing > 0 { emit(.missing(missing, egress: time)) }
        }
        chains[kind].last = index
        chains[kind].ordinal = entry.ordinal
        chains[kind].isIntact = true
        chains[kind].unmatchedSince = 0
        lastMatched = index
    }

    /// Decides on the repeated contents since the last anchor.
    private mutating func settle(
        _ kind: Int, isConfirmed: Bool, _ emit: (Outcome) -> Void
    ) {
        for (ingress, egress) in chains[kind].tentative {
            emit(
                isConfirmed
                    ? .matched(ingress: ingress, egress: egress) : .unmatched(egress: egress))
        }
        chains[kind].tentative.removeAll(keepingCapacity: true)
    }
}
