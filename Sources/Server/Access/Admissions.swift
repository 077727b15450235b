import Logging
import NIOCore
import Synchronization

/// Admission of peers over all event loops. It counts the resources in use, and the refusals by
/// reason.
///
/// A place is given back when its holder is gone from memory, so that a leak shows in the count.
final class Admissions: Sendable {
    /// Resource that has a limit.
    enum Limit: String, Sendable, CaseIterable {
        case connections, publishers, players
        case connectionsPerAddress = "connections_per_address"
        case unfinishedBytes = "unfinished_bytes"
        case wrongKeys = "wrong_keys"
        case names = "names"
        case addresses = "denied_addresses"
        case callBacks = "call_backs"
        case senderThreads = "sender_threads"

        /// Text for the log when the limit is reached, with the remedy.
        var words: String {
            switch self {
            case .connections: "too many connections (--max-connections)"
            case .connectionsPerAddress:
                "too many connections from one address (--max-connections-per-address)"
            case .publishers: "too many publishers (--max-publishers)"
            case .players: "too many players (--max-players)"
            case .unfinishedBytes: "unfinished messages hold too much memory (--max-unfinished)"
            case .wrongKeys: "an address has sent too many wrong stream keys and has to wait"
            case .addresses: "an address may not connect here (--deny, --allow)"
            case .callBacks: "a call-back has refused, failed or not answered (--hook)"
            case .senderThreads:
                "no sender thread or descriptor is left for a receiver (--threads N needs none)"
            case .names: "a name is longer than 1024 bytes"
            }
        }
    }

    private struct State {
        var counts: [Limit: Int] = [:]
        var byAddress: [String: Int] = [:]
        var refused: [Limit: Int] = [:]
        /// Time of the latest log line about a limit, and the number of refusals by then.
        var logged: [Limit: (at: NIODeadline, count: Int)] = [:]
    }

    let limits: ServerLimits
    private let logger: Logger
    private let state = Mutex(State())
    private let unfinished = Atomic<Int>(0)
    private let leftOut = Atomic<Int>(0)

    /// Number of media messages that were left out, because nothing is published on their message
    /// stream or they are too long to be kept for players.
    var leftOutMessages: Int { leftOut.load(ordering: .relaxed) }
    func countLeftOut() { leftOut.wrappingAdd(1, ordering: .relaxed) }

    /// Time between two log lines about one limit.
    private static let logInterval = TimeAmount.seconds(10)

    init(_ limits: ServerLimits = .init(), logger: Logger = Logger(label: "admissions")) {
        self.limits = limits
        self.logger = logger
    }

    /// Number of connections with a living handler; a closed connection that something keeps in
    /// memory counts.
    var connections: Int { count(.connections) }

    func count(_ limit: Limit) -> Int { state.withLock { $0.counts[limit] ?? 0 } }

    var refused: [Limit: Int] { state.withLock { $0.refused } }

    var unfinishedBytes: Int { unfinished.load(ordering: .relaxed) }

    /// Takes a connection's place; nil if there is none left.
    ///
    /// - Parameter address: Address of the peer, without its port; nil = it has none.
    func admit(from address: String?) -> Place? {
        let counted = address.flatMap { Self.isOwn($0) ? nil : AddressRange.site(of: $0) }
        let isFull: Limit? = state.withLock { state in
            if Self.isOver(state.counts[.connections], limits.connections) { return .connections }
            if let counted,
                Self.isOver(state.byAddress[counted], limits.connectionsPerAddress)
            {
                return .connectionsPerAddress
            }
            state.counts[.connections, default: 0] += 1
            if let counted { state.byAddress[counted, default: 0] += 1 }
            return nil
        }
        guard let isFull else { return Place(self, .connections, counted) }
        refuse(isFull)
        return nil
    }

    /// Takes a new channel's place.
    ///
    /// - Throws: An error if there is none left; the channel is closed then.
    func place(for channel: any Channel) throws -> Place {
        guard let place = admit(from: channel.remoteAddress?.ipAddress) else {
            throw ChannelError.eof
        }
        return place
    }

    /// Use of each resource that has a limit.
    func usage(
        publishers: Int, streams: Int, hlsBytes: Int, gopCacheBytes: Int
    ) -> [LimitUsage] {
        let (connections, players) = state.withLock {
            ($0.counts[.connections] ?? 0, $0.counts[.players] ?? 0)
        }
        return [
            .init(name: "connections", used: connections, limit: limits.connections),
            .init(name: "publishers", used: publishers, limit: limits.publishers),
            .init(name: "players", used: players, limit: limits.players),
            .init(name: "hls_streams", used: streams, limit: limits.streams),
            .init(
                name: "unfinished_bytes", used: unfinishedBytes, limit: limits.unfinishedBytes),
            .init(name: "hls_bytes", used: hlsBytes, limit: limits.hlsBytes),
            .init(name: "gop_cache_bytes", used: gopCacheBytes, limit: limits.gopCacheBytes),
        ]
    }

    /// Takes a player's place; nil if there is none left.
    func admitPlayer() -> Place? {
        let isAdmitted = state.withLock { state in
            guard !Self.isOver(state.counts[.players], limits.players) else { return false }
            state.counts[.players, default: 0] += 1
            return true
        }
        guard isAdmitted else {
            refuse(.players)
            return nil
        }
        return Place(self, .players, nil)
    }

    private static func isOver(_ count: Int?, _ limit: Int) -> Bool {
        limit > 0 && (count ?? 0) >= limit
    }

    private static func isOwn(_ address: String) -> Bool {
        address == "::1" || address.hasPrefix("127.") || address.hasPrefix("::ffff:127.")
    }

    /// Counts the `bytes` of a connection's unfinished messages, which had `before`. Returns false
    /// if the connection is to be cut, because all of them together hold too much and this one does
    /// not hold little.
    func hold(_ bytes: Int, before: Int) -> Bool {
        guard bytes != before else { return true }
        let total = unfinished.wrappingAdd(bytes - before, ordering: .relaxed).newValue
        guard limits.unfinishedBytes > 0, total > limits.unfinishedBytes, bytes > before,
            bytes > ServerLimits.patience
        else { return true }
        refuse(.unfinishedBytes)
        return false
    }

    /// Counts a refusal, and logs it from time to time.
    func refuse(_ limit: Limit) {
        let count: Int? = state.withLock { state in
            state.refused[limit, default: 0] += 1
            let all = state.refused[limit] ?? 0
            let last = state.logged[limit]
            let now = NIODeadline.now()
            if let last, now - last.at < Self.logInterval { return nil }
            state.logged[limit] = (now, all)
            return all - (last?.count ?? 0)
        }
        if let count { logger.warning("refused \(count): \(limit.words)") }
    }

    private func give(back limit: Limit, _ address: String?) {
        state.withLock { state in
            state.counts[limit, default: 1] -= 1
            guard let address else { return }
            let left = (state.byAddress[address] ?? 1) - 1
            state.byAddress[address] = left > 0 ? left : nil
        }
    }

    /// A place among those of a kind; it is given back when its holder is gone from memory.
    final class Place: Sendable {
        private let admissions: Admissions
        private let limit: Limit
        private let address: String?

        fileprivate init(_ admissions: Admissions, _ limit: Limit, _ address: String?) {
            self.admissions = admissions
            self.limit = limit
            self.address = address
        }

        deinit { admissions.give(back: limit, address) }
    }
}
