/// Contents of `/api/v1/edge`: counts since the edge began.
public struct EdgeStatus: Sendable, Codable, Hashable {
    /// Counts of one kind of object. `requests` = `hits` + `misses` + `collapsed` + `refused`.
    public struct Counts: Sendable, Codable, Hashable {
        /// Requests of clients.
        public var requests = 0
        /// Requests answered from the cache.
        public var hits = 0
        /// Requests for which an object was fetched.
        public var misses = 0
        /// Those of the misses that had joined a fetch, whose response turned out to be private.
        public var privateFetches = 0
        /// Requests that joined a fetch in progress.
        public var collapsed = 0
        /// Requests refused without a look into the cache, because they make no sense or exceed a
        /// limit.
        public var refused = 0
        /// Responses 502, 503 and 504 that the edge itself made; the origin's are not counted.
        public var failures = 0
        /// Body bytes that were handed to the sockets of clients.
        public var clientBytes = 0
        /// Requests sent to the origin, repeated ones included.
        public var originRequests = 0
        /// Body bytes that came from the origin.
        public var originBytes = 0
        /// Objects, fresh or stale, that were removed to make room for others.
        public var evictions = 0

        public init() {}

        /// Reads counts; one that is missing, because an older version did not have it, is 0.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            func count(_ key: CodingKeys) throws -> Int {
                try container.decodeIfPresent(Int.self, forKey: key) ?? 0
            }
            requests = try count(.requests)
            hits = try count(.hits)
            misses = try count(.misses)
            privateFetches = try count(.privateFetches)
            collapsed = try count(.collapsed)
            refused = try count(.refused)
            failures = try count(.failures)
            clientBytes = try count(.clientBytes)
            originRequests = try count(.originRequests)
            originBytes = try count(.originBytes)
            evictions = try count(.evictions)
        }

        public static func += (a: inout Counts, b: Counts) {
            a.requests += b.requests
            a.hits += b.hits
            a.misses += b.misses
            a.privateFetches += b.privateFetches
            a.collapsed += b.collapsed
            a.refused += b.refused
            a.failures += b.failures
            a.clientBytes += b.clientBytes
            a.originRequests += b.originRequests
            a.originBytes += b.originBytes
            a.evictions += b.evictions
        }

        /// Hits and collapsed requests over all requests that were not refused, from 0 to 1; nil if
        /// there were none.
        public var hitRatio: Double? {
            let all = hits + misses + collapsed
            return all == 0 ? nil : Double(hits + collapsed) / Double(all)
        }
    }

    /// Version of this format.
    public var version = "1"
    /// URL of the origin.
    public var origin: String
    /// Counts by the raw values of `EdgeKind`.
    public var kinds: [String: Counts] = [:]
    /// Number of objects in the cache.
    public var cachedObjects = 0
    /// Number of bytes that the objects in the cache take, headers included.
    public var cachedBytes = 0
    /// Largest value of `cachedBytes`.
    public var cacheByteLimit = 0
    /// Number of open connections of clients.
    public var clients = 0
    /// Number of connections that were refused because there were too many in all, or too many from
    /// one address.
    public var refusedConnections = 0
    /// Number of open connections to the origin.
    public var originConnections = 0
    /// Number of fetches in progress, those included that wait for a connection.
    public var fetches = 0
    /// Number of fetches that wait for a connection to the origin.
    public var queuedFetches = 0
    /// Number of fetches that were given up because no client waited for them any more.
    public var givenUpFetches = 0

    public init(origin: String) { self.origin = origin }

    /// Sum of the counts of all kinds.
    public var total: Counts {
        kinds.values.reduce(into: Counts()) { $0 += $1 }
    }
}
