// One event loop owns everything. `EdgeStore` decides without I/O (hit, join or fetch), an
// `EdgeObject` is a response while it arrives and afterwards, and an `EdgeClient` reads it at its
// own pace. A client is never handed more than its socket accepts, so a slow client holds no memory
// but the object that it reads.
//
// A key is the path and the query, with sorted delivery directives. Range and HEAD requests are
// answered from the whole object. A private response is fetched again for each client that joined;
// a response that must not be stored goes to the clients that wait, and to no client after them.
// Objects, the cache, connections to the origin and waiting fetches have limits. The memory of
// freed objects returns to the system at once (`LargeBlocks`), because otherwise the gaps between
// the remaining objects would grow to half the cache.
//
// If a kept connection closes before the response's head has come, the request is sent once more,
// on a new connection. While fetches wait for a connection, fetches that bring less than 1 KiB per
// second are given up after 5 s by default; blocking reloads and fetches over a WAN are not.
// Blocking reloads may occupy at most three quarters of the connections. The WAN is a virtual clock
// over all connections: it delays requests and responses, and reading pauses while the link is
// booked ahead.

import NIOCore
import NIOHTTP1

/// Decides for each request whether it is answered from the cache, joins a fetch or begins one, and
/// counts requests and bytes. The store does no I/O and reads no clock: times are nanoseconds of
/// one clock.
final class EdgeStore {
    enum Lookup {
        /// The cache holds the complete object, and it is fresh.
        case hit(EdgeObject)
        /// The object is being fetched for another client.
        case joined(EdgeObject)
        /// The caller must fetch the object now.
        case fetch(EdgeObject)

        var object: EdgeObject {
            switch self {
            case .hit(let object), .joined(let object), .fetch(let object): object
            }
        }
    }

    private var cache: EdgeCache<EdgeObject>
    /// Objects that are being fetched and that later clients join, by key.
    private var underWay: [String: EdgeObject] = [:]
    private var versions = EdgeVersions()
    private let objectLimit: Int
    private let keeps: Bool
    /// Number of fetches that were given up because no client waited for them any more, or because
    /// they were too slow while others waited.
    private var givenUp = 0
    private var counts: [EdgeKind: EdgeStatus.Counts] = [:]

    /// - Parameter keeps: Whether responses are cached at all.
    init(byteLimit: Int, objectLimit: Int, keeps: Bool = true) {
        cache = EdgeCache(byteLimit: byteLimit)
        self.keeps = keeps
        self.objectLimit = objectLimit
    }

    // MARK: Clients

    /// Decides how a request for `target` is answered, and counts it.
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

    /// Returns a separate object to fetch for a client, because the response that the client joined
    /// is private.
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

    /// Records the head of the origin's response.
    /// - Returns: A failure if the object is longer than the limit.
    func received(
        _ head: HTTPResponseHead, of object: EdgeObject, at now: Int64
    ) -> EdgeFailure? {
        let length = head.headers.first(name: "content-length").flatMap { Int($0) }
        if let length, length > objectLimit { return tooLong(object) }
        var freshness = EdgeFreshness(status: Int(head.status.code), headers: head.headers)
        if !keeps { freshness.lifetime = 0 }
        // A response that must not be cached is only for the clients that wait already. Later
        // clients cause a new fetch.
        if freshness.lifetime == 0 { forget(object) }
        object.begin(
            .init(
                status: head.status, lines: EdgeHeaders.passed(head.headers),
                contentLength: length, freshness: freshness, arrivedAt: now))
        return nil
    }

    /// Records bytes of the origin's response.
    /// - Returns: A failure if the object is longer than the limit.
    func received(_ bytes: ByteBuffer, of object: EdgeObject) -> EdgeFailure? {
        counts[object.target.kind, default: .init()].originBytes += bytes.readableBytes
        guard object.count + bytes.readableBytes <= objectLimit else { return tooLong(object) }
        object.append(bytes)
        return nil
    }

    /// Completes an object, and caches it for its lifetime.
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

    /// Keeps later clients from joining fetches of a playlist that began before this version of it
    /// arrived, because the responses of those fetches may be older. Blocking reloads are not
    /// affected, because they wait for a new version.
    private func leaveBehind(_ group: String, at now: Int64) {
        for (key, object) in underWay
        where object.target.group == group && !object.target.isBlocking { underWay[key] = nil }
    }

    /// Keeps later clients from joining the fetch of `object`. The clients that have joined still
    /// receive it.
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
