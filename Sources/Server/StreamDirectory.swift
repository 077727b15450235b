import NIOCore
import Synchronization

/// The publications over all event loops. The directory is asked only when a publication starts or
/// ends, and by the status API; never per message.
final class StreamDirectory: Sendable {
    struct Publication: Sendable {
        var id: UInt64
        var address: String
        var startedAt: NIODeadline
        /// Time since which the publisher is away and may come back; nil if it is there.
        var awaySince: NIODeadline?
        /// What the publication has brought so far.
        let counts: PublicationCounts
        /// Number of media messages that came on another message stream, or were too long.
        var leftOutMessages = 0
        /// Whether an encoder of a ladder publishes.
        var isEncoder = false
        /// Function that cuts the publisher's connection.
        var cut: @Sendable () -> Void
    }

    enum Claim: Sendable {
        case granted(Grant)
        /// Granted; the publication continues where an earlier publisher of the stream stopped.
        case resumed(Grant, cut: (@Sendable () -> Void)?)
        case refused(String)
        /// The limit on publications is reached.
        case full(String)
    }

    /// The right to publish a stream.
    struct Grant: Sendable {
        var id: UInt64
        /// Timestamp after which the publication continues, in milliseconds; nil if it is new.
        var resumesAfter: UInt32?
        var counts: PublicationCounts
    }

    private struct State {
        var publications: [String: Publication] = [:]
        var nextID: UInt64 = 1
    }

    private let state = Mutex(State())
    private let configuration: ServerConfiguration
    private let admissions: Admissions
    /// Function that is called, on any thread, when a publication begins or ends.
    private let observer = Mutex(Observer(call: {}))
    /// Registry by which the ladder's encoders are recognised.
    let encoders = EncoderRegistry()

    init(_ configuration: ServerConfiguration, admissions: Admissions = Admissions()) {
        self.configuration = configuration
        self.admissions = admissions
    }

    /// A box around a closure. A closure by itself in a mutex, which is generic, would be wrapped
    /// in one more closure each time it is taken out, and each call would go through all of them.
    private struct Observer: Sendable {
        var call: @Sendable () -> Void
    }

    /// Calls `body` whenever a publication begins or ends.
    func observe(_ body: @escaping @Sendable () -> Void) {
        observer.withLock { $0 = Observer(call: body) }
    }

    private func notify() {
        let observer = observer.withLock { $0 }
        observer.call()
    }

    func claim(
        _ name: String, address: String, isEncoder: Bool = false,
        cut: @escaping @Sendable () -> Void
    ) -> Claim {
        let claim = decide(name, address: address, isEncoder: isEncoder, cut: cut)
        switch claim {
        case .granted, .resumed: notify()
        case .full: admissions.refuse(.publishers)
        case .refused: break
        }
        return claim
    }

    private func decide(
        _ name: String, address: String, isEncoder: Bool, cut: @escaping @Sendable () -> Void
    ) -> Claim {
        state.withLock { state in
            let id = state.nextID
            state.nextID += 1
            func publication(lastTimestamp: UInt32 = 0) -> Publication {
                Publication(
                    id: id, address: address, startedAt: .now(),
                    counts: PublicationCounts(lastTimestamp: lastTimestamp), isEncoder: isEncoder,
                    cut: cut)
            }
            guard let old = state.publications[name] else {
                let limit = configuration.limits.publishers
                guard limit == 0 || state.publications.count < limit else {
                    return .full("\(limit) streams are published already, which is the limit")
                }
                let new = publication()
                state.publications[name] = new
                return .granted(Grant(id: id, counts: new.counts))
            }
            guard old.awaySince != nil || configuration.takeover == .takeover else {
                // The present publisher's identity is not revealed.
                return .refused("\(name) is already published")
            }
            old.counts.end()
            let last = old.counts.lastTimestamp
            let new = publication(lastTimestamp: last)
            state.publications[name] = new
            return .resumed(
                Grant(id: id, resumesAfter: last, counts: new.counts),
                cut: old.awaySince == nil ? old.cut : nil)
        }
    }

    /// Counts a publisher's message that is left out.
    func recordLeftOut(_ name: String) {
        state.withLock { $0.publications[name]?.leftOutMessages += 1 }
    }

    /// Notes that the publisher's connection broke, and keeps the name for the grace period.
    /// Returns false if another publisher has taken over.
    func leave(_ name: String, id: UInt64) -> Bool {
        state.withLock { state in
            guard state.publications[name]?.id == id else { return false }
            state.publications[name]?.awaySince = .now()
            return true
        }
    }

    /// Ends the publication for good. Returns false if it belongs to another publisher by now.
    func end(_ name: String, id: UInt64, onlyIfAway: Bool) -> Bool {
        defer { notify() }
        return state.withLock { state in
            guard let publication = state.publications[name], publication.id == id else {
                return false
            }
            if onlyIfAway, publication.awaySince == nil { return false }
            publication.counts.end()
            state.publications.removeValue(forKey: name)
            return true
        }
    }

    var publications: [String: Publication] { state.withLock { $0.publications } }
}
