/// Finds, for each message that a server sends to one subscriber, the one that came in.
///
/// Anchored on contents that are in the ingress window once (or come again only when a file starts
/// over: then the relay must take less than a loop). A repeated content (silence, skipped
/// frames) is matched only where it directly follows, in both sequences, a matched message, and
/// counts only once the next anchor shows that nothing was left out in between.
struct RelayMatcher {
    /// What is now known of some message.
    enum Outcome {
        /// It came in at the first time and went out at the second, ns since 1970.
        case matched(ingress: Int64, egress: Int64)
        /// Nothing in the window has its content, or it cannot be told which one it is.
        case unmatched(egress: Int64)
        /// So many messages that came in were left out before this time.
        case missing(Int, egress: Int64)
    }

    /// Repeated contents in a row that wait for an anchor; beyond it they are believed.
    static let tentativeLimit = 1024

    private struct Chain {
        /// Index and ordinal of the last matched message of the kind.
        var last: Int?
        var ordinal = 0
        /// Each message of the kind since then has matched.
        var isIntact = false
        var unmatchedSince = 0
        var tentative: [(ingress: Int64, egress: Int64)] = []
    }

    private var chains = [Chain(), Chain()]
    /// The last message of any kind matched this one.
    private var lastMatched: Int?
    private var highest = -1
    /// The server mixes audio and video in another order than they came.
    private var reorders = false

    /// Matched, but with no anchor after them yet.
    var tentative: [(ingress: Int64, egress: Int64)] { chains.flatMap(\.tentative) }

    /// Takes the next message of the subscriber. Returns when the message came in, if known now
    /// for sure.
    mutating func receive(
        hash: UInt64, isVideo: Bool, time: Int64, in window: IngressWindow,
        emit: (Outcome) -> Void
    ) -> Int64? {
        let kind = isVideo ? 1 : 0
        let candidate = follower(hash, kind, window)
        if let anchor = window.anchor(of: hash),
            // Of a content that loops, the copy that directly follows is the better guess.
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

    /// The ingress message that would directly follow, where it has this content.
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
