import NIOCore
import Synchronization

/// Who publishes what, over all event loops. Asked only when a publication starts or ends, and by
/// the status API; never per message.
final class StreamDirectory: Sendable {
    struct Publication: Sendable {
        var id: UInt64
        var address: String
        var startedAt: NIODeadline
        /// Set while a publisher is away and may come back.
        var awaySince: NIODeadline?
        var lastTimestamp: UInt32 = 0
        var receivedBytes = 0
        var videoFrames = 0
        var audioFrames = 0
        var keyFrames = 0
        /// Published by an encoder of a ladder.
        var isEncoder = false
        /// Cuts the publisher's connection.
        var cut: @Sendable () -> Void
    }

    enum Claim: Sendable {
        case granted(id: UInt64)
        /// Granted, going on where an earlier publisher of the stream stopped.
        case resumed(id: UInt64, lastTimestamp: UInt32, cut: (@Sendable () -> Void)?)
        case refused(String)
    }

    private struct State {
        var publications: [String: Publication] = [:]
        var nextID: UInt64 = 1
    }

    private let state = Mutex(State())
    private let configuration: ServerConfiguration
    /// Told, on any thread, that a publication began or ended.
    private let observer = Mutex<@Sendable () -> Void>({})
    /// The query by which the ladder's encoders are known.
    let encoderToken = "encoder=\(UInt64.random(in: 0...UInt64.max))"

    init(_ configuration: ServerConfiguration) { self.configuration = configuration }

    /// Calls `body` whenever a publication begins or ends.
    func observe(_ body: @escaping @Sendable () -> Void) { observer.withLock { $0 = body } }

    private func notify() { observer.withLock { $0 }() }

    func isEncoder(query: String) -> Bool {
        query.split(separator: "&").contains { $0 == encoderToken }
    }

    /// Whether `name` with `query` may be published at all.
    func authorises(_ key: String, query: String) -> Bool {
        let rules = configuration.streamKeys
        guard !rules.isEmpty, !isEncoder(query: query) else { return true }
        for rule in rules {
            let parts = rule.split(separator: ":", maxSplits: 1)
            guard parts.first.map(String.init) == key else { continue }
            guard parts.count == 2 else { return true }
            if query.split(separator: "&").contains("key=\(parts[1])") { return true }
        }
        return false
    }

    func claim(
        _ name: String, address: String, isEncoder: Bool = false,
        cut: @escaping @Sendable () -> Void
    ) -> Claim {
        defer { notify() }
        return state.withLock { state in
            let id = state.nextID
            state.nextID += 1
            let new = Publication(
                id: id, address: address, startedAt: .now(), isEncoder: isEncoder, cut: cut)
            guard let old = state.publications[name] else {
                state.publications[name] = new
                return .granted(id: id)
            }
            guard old.awaySince != nil || configuration.takeover == .takeover else {
                return .refused("\(name) is already published by \(old.address)")
            }
            var resumed = new
            resumed.lastTimestamp = old.lastTimestamp
            state.publications[name] = resumed
            return .resumed(
                id: id, lastTimestamp: old.lastTimestamp, cut: old.awaySince == nil ? old.cut : nil)
        }
    }

    /// False where the publication is another's by now.
    func record(
        _ name: String, id: UInt64, bytes: Int, units: [MediaUnit]
    ) -> Bool {
        state.withLock { state in
            guard state.publications[name]?.id == id else { return false }
            state.publications[name]!.receivedBytes += bytes
            for unit in units where !unit.isSequenceHeader {
                switch unit.kind {
                case .video: state.publications[name]!.videoFrames += 1
                case .audio: state.publications[name]!.audioFrames += 1
                case .data: continue
                }
                if unit.isKeyFrame { state.publications[name]!.keyFrames += 1 }
                state.publications[name]!.lastTimestamp = unit.timestamp
            }
            return true
        }
    }

    /// The publisher's connection broke: keeps the name for the grace period.
    /// False where another publisher has taken over.
    func leave(_ name: String, id: UInt64) -> Bool {
        state.withLock { state in
            guard state.publications[name]?.id == id else { return false }
            state.publications[name]!.awaySince = .now()
            return true
        }
    }

    /// Ends the publication for good; false where it is another's by now.
    func end(_ name: String, id: UInt64, onlyIfAway: Bool) -> Bool {
        defer { notify() }
        return state.withLock { state in
            guard let publication = state.publications[name], publication.id == id else {
                return false
            }
            if onlyIfAway, publication.awaySince == nil { return false }
            state.publications.removeValue(forKey: name)
            return true
        }
    }

    var publications: [String: Publication] { state.withLock { $0.publications } }
}
