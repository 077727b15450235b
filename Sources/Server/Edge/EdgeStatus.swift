/// Contents of `/api/v1/edge`: counts since the edge began.
public struct EdgeStatus: Sendable, Codable, Hashable {
    /// Counts of one kind of object. Requests = hits + misses + collapsed + refused.
    public struct Counts: Sendable, Codable, Hashable {
        public var requests = 0
        /// Requests answered from the cache.
        public var hits = 0
        /// Requests for which an object was fetched.
        public var misses = 0
        /// Requests that joined a fetch in progress.
        public var collapsed = 0
        /// Requests refused without a look into the cache, because they make no sense or exceed a
        /// limit.
        public var refused = 0
        /// Responses 502, 503 and 504 of the edge's own.
        public var failures = 0
        /// Body bytes handed to clients' sockets.
        public var clientBytes = 0
        /// Requests sent to the origin, repeated ones included.
        public var originRequests = 0
        /// Body bytes that came from the origin.
        public var originBytes = 0
        /// Objects that were removed for others while they were fresh or stale.
        public var evictions = 0

        public init() {}

        public static func += (a: inout Counts, b: Counts) {
            a.requests += b.requests
            a.hits += b.hits
            a.misses += b.misses
            a.collapsed += b.collapsed
            a.refused += b.refused
            a.failures += b.failures
            a.clientBytes += b.clientBytes
            a.originRequests += b.originRequests
            a.originBytes += b.originBytes
            a.evictions += b.evictions
        }

        /// Share of requests that cost no request to the origin, 0…1; nil without requests.
        public var hitRatio: Double? {
            let all = hits + misses + collapsed
            return all == 0 ? nil : Double(hits + collapsed) / Double(all)
        }
    }

    public var version = "1"
    public var origin: String
    /// Counts by the raw values of `EdgeKind`.
    public var kinds: [String: Counts] = [:]
    public var cachedObjects = 0
    public var cachedBytes = 0
    public var cacheByteLimit = 0
    /// Number of open connections.
    public var clients = 0
    /// Number of connections refused because a limit, in all or from one address, was reached.
    public var refusedConnections = 0
    public var originConnections = 0
    /// Number of fetches in progress, and of those that wait for a connection.
    public var fetches = 0
    public var queuedFetches = 0
    /// Number of fetches given up because no client waited for them any more.
    public var givenUpFetches = 0

    public init(origin: String) { self.origin = origin }

    public var total: Counts {
        kinds.values.reduce(into: Counts()) { $0 += $1 }
    }
}
