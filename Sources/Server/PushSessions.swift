import Logging
import RTMP

/// One event loop's share of the pushed streams: it compares the targets that a stream should have
/// with the sessions that it has. It is bound to its hub's event loop.
final class PushSessions {
    private unowned let hub: StreamHub
    private let table: PushTable
    private let isMine: (String) -> Bool
    private let logger: Logger
    private var sessions: [String: [PushSession]] = [:]

    /// - Parameter isMine: Function that says whether this loop serves a stream's target, which is
    ///   given as one text. The text has no query, so that a target whose query changes stays on
    ///   its loop.
    init(
        _ table: PushTable, at hub: StreamHub, logger: Logger,
        isMine: @escaping @Sendable (String) -> Bool
    ) {
        self.table = table
        self.hub = hub
        self.logger = logger
        self.isMine = isMine
    }

    /// Begins and ends sessions of a stream, so that it has those that it should have.
    func update(_ stream: String) {
        let targets =
            hub.isPublished(stream)
            ? table.targets(of: stream).filter { isMine("\(stream) \($0.withoutQuery)") } : []
        var kept: [PushSession] = []
        for session in sessions[stream] ?? [] {
            if targets.contains(session.target) {
                kept.append(session)
            } else {
                session.end()
            }
        }
        for target in targets where !kept.contains(where: { $0.target == target }) {
            let session = PushSession(
                stream, to: target, at: hub, table: table, logger: logger)
            kept.append(session)
            hub.add(session)
            session.connect()
        }
        sessions[stream] = kept.isEmpty ? nil : kept
    }

    /// Ends all sessions in order.
    func end() {
        for session in sessions.values.joined() { session.end() }
        sessions = [:]
    }

    var status: [PushStatus] { sessions.values.flatMap { $0.map(\.status) } }
}
