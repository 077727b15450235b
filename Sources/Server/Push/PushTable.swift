import HTTPWire
import RTMP
import Synchronization

/// The targets of every stream: those of the rules, and those that the API adds and removes. A
/// target is known by its URL without the query, which may hold a key.
final class PushTable: Sendable {
    /// Largest number of targets of one stream.
    static let targetLimit = 64
    /// Largest number of streams that the API may have changed.
    static let streamLimit = 10_000
    /// Number of copies on this server by which a chain of copies counts as endless.
    private static let copyLimit = 64

    private struct Change {
        var added: [RTMPURL] = []
        /// Targets of rules that are removed, without their queries.
        var removed: Set<String> = []

        var isEmpty: Bool { added.isEmpty && removed.isEmpty }
    }

    /// Addresses of this server, so that no stream is copied on it without end.
    let own = OwnAddresses()
    private let rules: [PushRule]
    private let changes = Mutex<[String: Change]>([:])

    init(_ rules: [PushRule]) { self.rules = rules }

    /// Returns the targets of a stream, each once.
    func targets(of name: String) -> [RTMPURL] {
        targets(of: name, changes.withLock { $0[name] } ?? Change())
    }

    private func targets(of name: String, _ change: Change) -> [RTMPURL] {
        var targets: [RTMPURL] = []
        let ruled = rules.compactMap { $0.target(of: name) }.filter {
            !change.removed.contains($0.withoutQuery)
        }
        for target in ruled + change.added
        where !targets.contains(where: { $0.withoutQuery == target.withoutQuery }) {
            targets.append(target)
        }
        return Array(targets.prefix(Self.targetLimit))
    }

    /// Returns why a stream is not pushed to a target, with the remedy; nil if it may be pushed.
    ///
    /// A target on this server makes a copy, and the rules may be for the copy, too. Such copies
    /// would be copied until their names are too long, or a stream would be pushed to itself.
    func fault(of target: RTMPURL, for stream: String) -> String? {
        let remedy =
            "give a rule the names of its streams, and targets with other names (live/*=…/copy/{stream})"
        var copies: Set<String> = []
        var rest = [target]
        while let next = rest.popLast() {
            guard own.include(next) else { continue }
            let name = next.name
            if name == stream {
                return
                    "\(target.withoutQuery) is on this server and would push \(stream.printable) to itself; \(remedy)"
            }
            guard copies.insert(name).inserted else { continue }
            guard copies.count < Self.copyLimit,
                name.utf8.count <= ServerSessionStateMachine.nameLimit
            else {
                return
                    "\(target.withoutQuery) is on this server, and every copy would be copied again; \(remedy)"
            }
            rest += targets(of: name)
        }
        return nil
    }

    /// Adds a target to a stream; adding it again changes nothing.
    ///
    /// - Returns: Fault, if the target cannot be added; else nil.
    func add(_ target: RTMPURL, to name: String) -> String? {
        if let fault = fault(of: target, for: name) { return fault }
        return changes.withLock { changes in
            var change = changes[name] ?? Change()
            let known = targets(of: name, change)
            if let same = known.first(where: { $0.withoutQuery == target.withoutQuery }) {
                return same == target
                    ? nil
                    : "\(target.withoutQuery) is a target already, with another query; remove it first"
            }
            guard known.count < Self.targetLimit else {
                return "the stream has \(known.count) targets already, which is the limit"
            }
            guard changes[name] != nil || changes.count < Self.streamLimit else {
                return "the targets of \(changes.count) streams are changed, which is the limit"
            }
            change.removed.remove(target.withoutQuery)
            if !targets(of: name, change).contains(target) {
                // A rule may give the same target with another query, which the added one replaces.
                if rules.contains(where: {
                    $0.target(of: name)?.withoutQuery == target.withoutQuery
                }) {
                    change.removed.insert(target.withoutQuery)
                }
                change.added.append(target)
            }
            changes[name] = change.isEmpty ? nil : change
            return nil
        }
    }

    /// Removes a target from a stream, whatever its query is. A target of a rule stays removed
    /// until it is added again.
    ///
    /// - Returns: Whether the stream had the target.
    func remove(_ target: RTMPURL, from name: String) -> Bool {
        changes.withLock { changes in
            var change = changes[name] ?? Change()
            let known = target.withoutQuery
            guard targets(of: name, change).contains(where: { $0.withoutQuery == known }),
                changes[name] != nil || changes.count < Self.streamLimit
            else { return false }
            change.added.removeAll { $0.withoutQuery == known }
            if rules.contains(where: { $0.target(of: name)?.withoutQuery == known }) {
                change.removed.insert(known)
            }
            changes[name] = change.isEmpty ? nil : change
            return true
        }
    }
}
