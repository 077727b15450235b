// How the edge works.
//
// One event loop owns everything. `EdgeStore` decides without I/O (hit, join or fetch), an
// `EdgeObject` is a response while it arrives and afterwards, and `EdgeClient` reads it at its own
// pace. A client is never handed more than its socket takes, so a slow client holds no memory but
// the object that it reads.
//
// Keys are path and query with delivery directives sorted. Range and HEAD requests are answered
// from the whole object. A private response is fetched again for each client that joined; a
// response that must not be stored goes to the clients that wait, and to no client after them.
// Objects, cache, connections to the origin and waiting fetches have limits. Freed objects return
// to the system at once (`LargeBlocks`), because otherwise the gaps between the remaining objects
// would grow to half the cache.
//
// A kept connection that dies before a byte of the response is replaced once. While fetches wait
// for a connection, fetches that bring less than 1 KiB per second give up theirs after 5 s
// (blocking reloads and WANs excepted), and blocking reloads may hold three quarters of the
// connections at most. The WAN is a virtual clock over all connections: it delays requests and
// responses, and reading pauses while the link is booked ahead.

import NIOCore
import NIOHTTP1

/// Decides for each request whether it is answered from the cache, joins a fetch, or begins one,
/// and counts. There is no I/O and no clock: times are nanoseconds of one clock.
final class EdgeStore {
    enum Lookup {
        /// The object is whole and fresh.
        case hit(EdgeObject)
        /// The object is being fetched for another client.
        case joined(EdgeObject)
        /// The object is to be fetched now.
        case fetch(EdgeObject)

        var object: EdgeObject {
            switch self {
            case .hit(let object), .joined(let object), .fetch(let object): object
            }
        }
    }

    private var cache: EdgeCache<EdgeObject>
    private var underWay: [String: EdgeObject] = [:]
    private var versions = EdgeVersions()
    private let objectLimit: Int
    private let keeps: Bool
    /// Number of fetches that no client waited for any more.
    private var givenUp = 0
    private var counts: [EdgeKind: EdgeStatus.Counts] = [:]

    /// - Parameter keeps: Whether any response is kept.
    init(byteLimit: Int, objectLimit: Int, keeps: Bool = true) {
        cache = EdgeCache(byteLimit: byteLimit)
        self.keeps = keeps
        self.objectLimit = objectLimit
    }

    // MARK: Clients

    func look(_ target: EdgeTarget, at now: Int64) -> Lookup {
        counts[target.kind, default: .init()].requests += 1
        if let object = cache.value(for: target.key, at: now),
            !(object.position.map { versions.isOutdated($0, of: target.group) } ?? false)
        {
            counts[target.kind]!.hits += 1
            return .hit(object)
        }
        if let object = underWay[target.key] {
            counts[target.kind]!.collapsed += 1
            return .joined(object)
        }
        counts[target.kind]!.misses += 1
        let object = EdgeObject(target, askedAt: now)
        underWay[target.key] = object
        return .fetch(object)
    }

    /// Begins a separate fetch for a client, because the response that it joined turned out to be
    /// private.
    func fetchAlone(_ target: EdgeTarget, at now: Int64) -> EdgeObject {
        counts[target.kind, default: .init()].collapsed -= 1
        counts[target.kind]!.misses += 1
        counts[target.kind]!.privateFetches += 1
        return EdgeObject(target, askedAt: now)
    }

    func countRefused(_ kind: EdgeKind) {
        counts[kind, default: .init()].requests += 1
        counts[kind]!.refused += 1
    }

    func countSent(_ bytes: Int, _ kind: EdgeKind) {
        counts[kind, default: .init()].clientBytes += bytes
    }

    func countGivenUp() { givenUp += 1 }

    func countFailure(_ kind: EdgeKind) { counts[kind, default: .init()].failures += 1 }

    // MARK: The origin

    func countOriginRequest(_ kind: EdgeKind) {
        counts[kind, default: .init()].originRequests += 1
    }

    /// - Returns: A failure if the object is longer than the limit.
    func received(
        _ head: HTTPResponseHead, of object: EdgeObject, at now: Int64
    ) -> EdgeFailure? {
        let length = head.headers.first(name: "content-length").flatMap { Int($0) }
        if let length, length > objectLimit { return tooLong(object) }
        var freshness = EdgeFreshness(status: Int(head.status.code), headers: head.headers)
        if !keeps { freshness.lifetime = 0 }
        // A response that must not be kept is for the clients that wait already; later ones cause a
        // new fetch.
        if freshness.lifetime == 0 { forget(object) }
        object.begin(
            .init(
                status: head.status, lines: EdgeHeaders.passed(head.headers),
                contentLength: length, freshness: freshness, arrivedAt: now))
        return nil
    }

    func received(_ bytes: ByteBuffer, of object: EdgeObject) -> EdgeFailure? {
        counts[object.target.kind, default: .init()].originBytes += bytes.readableBytes
        guard object.count + bytes.readableBytes <= objectLimit else { return tooLong(object) }
        object.append(bytes)
        return nil
    }

    /// Keeps a whole object as long as it may be kept.
    func finished(_ object: EdgeObject, at now: Int64) {
        forget(object)
        object.finish()
        guard let head = object.head else { return }
        if let position = object.position {
            guard
                versions.received(
                    position, of: object.target.group, asked: object.askedAt, at: now)
            else { return }
            leaveBehind(object.target.group, at: now)
        }
        let lifetime =
            head.freshness.lifetime
            ?? EdgeFreshness.standard(
                status: Int(head.status.code), kind: object.target.kind,
                isBlocking: object.target.isBlocking, body: object.body)
        guard lifetime > 0 else { return }
        let evicted = cache.insert(
            object, for: object.target.key, bytes: object.count + head.lines.utf8.count,
            expiry: head.arrivedAt + Int64(lifetime * 1e9))
        for other in evicted { counts[other.target.kind, default: .init()].evictions += 1 }
    }

    func failed(_ object: EdgeObject, _ failure: EdgeFailure) {
        forget(object)
        object.fail(failure)
    }

    /// Makes later clients not join the fetches of a playlist that were requested before a newer
    /// version came, because their responses may be older. Blocking reloads wait for a new version
    /// anyway.
    private func leaveBehind(_ group: String, at now: Int64) {
        for (key, object) in underWay
        where object.target.group == group && !object.target.isBlocking { underWay[key] = nil }
    }

    /// Gives up a fetch that no client waits for any more, or that takes too long.
    func forget(_ object: EdgeObject) {
        if underWay[object.target.key] === object { underWay[object.target.key] = nil }
    }

    private func tooLong(_ object: EdgeObject) -> EdgeFailure {
        EdgeFailure(
            status: .badGateway,
            reason: "The origin's object is longer than \(objectLimit) bytes, the most that this "
                + "edge takes; give it a larger --cache.\n")
    }

    // MARK: Status

    func fill(_ status: inout EdgeStatus) {
        for (kind, count) in counts { status.kinds[kind.rawValue] = count }
        status.cachedObjects = cache.count
        status.cachedBytes = cache.byteCount
        status.cacheByteLimit = cache.byteLimit
        status.fetches = underWay.count
        status.givenUpFetches = givenUp
    }
}
