import RTMP
import Synchronization

/// The targets of every stream: those of the rules, and those that the API adds and removes.
final class PushTable: Sendable {
    /// Largest number of targets of one stream.
    static let targetLimit = 64
    /// Largest number of streams that the API may have changed.
    static let streamLimit = 10_000

    private struct Change {
        var added: [RTMPURL] = []
        var removed: Set<RTMPURL> = []

        var isEmpty: Bool { added.isEmpty && removed.isEmpty }
    }

    private let rules: [PushRule]
    private let changes = Mutex<[String: Change]>([:])

    init(_ rules: [PushRule]) { self.rules = rules }

    /// Returns the targets of a stream, each once.
    func targets(of name: String) -> [RTMPURL] {
        let change = changes.withLock { $0[name] } ?? Change()
        var targets: [RTMPURL] = []
        for target in rules.compactMap({ $0.target(of: name) }) + change.added
        where !change.removed.contains(target) && !targets.contains(target) {
            targets.append(target)
        }
        return Array(targets.prefix(Self.targetLimit))
    }

    /// Adds a target to a stream; adding it again changes nothing.
    ///
    /// - Returns: Fault, if the target cannot be added; else nil.
    func add(_ target: RTMPURL, to name: String) -> String? {
        let known = targets(of: name)
        guard !known.contains(target) else { return nil }
        guard known.count < Self.targetLimit else {
            return "\(name) has \(known.count) targets already, which is the limit"
        }
        return changes.withLock { changes in
            guard changes[name] != nil || changes.count < Self.streamLimit else {
                return "the targets of \(changes.count) streams are changed, which is the limit"
            }
            changes[name, default: Change()].removed.remove(target)
            if !rules.contains(where: { $0.target(of: name) == target }) {
                changes[name, default: Change()].added.append(target)
            }
            if changes[name]?.isEmpty ?? false { changes[name] = nil }
            return nil
        }
    }

    /// Removes a target from a stream. A target of a rule stays removed until it is added again.
    ///
    /// - Returns: Whether the stream had the target.
    func remove(_ target: RTMPURL, from name: String) -> Bool {
        guard targets(of: name).contains(target) else { return false }
        changes.withLock { changes in
            guard changes[name] != nil || changes.count < Self.streamLimit else { return }
            changes[name, default: Change()].added.removeAll { $0 == target }
            if rules.contains(where: { $0.target(of: name) == target }) {
                changes[name, default: Change()].removed.insert(target)
            }
            if changes[name]?.isEmpty ?? false { changes[name] = nil }
        }
        return true
    }
}
