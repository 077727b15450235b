/// What `/api/v1/edge` shows: everything since the edge began.
public struct EdgeStatus: Sendable, Codable, Hashable {
    /// Of one kind of object. Requests = hits + misses + collapsed + refused.
    public struct Counts: Sendable, Codable, Hashable {
        public var requests = 0
        /// Answered from the cache.
        public var hits = 0
        /// Fetched for this request.
        public var misses = 0
        /// Joined a fetch that was under way.
        public var collapsed = 0
        /// Answered without looking: what makes no sense, or one too many.
        public var refused = 0
        /// Answers 502, 503 and 504 of the edge's own.
        public var failures = 0
        /// Body bytes handed to clients' sockets.
        public var clientBytes = 0
        /// Requests sent to the origin, repeated ones included.
        public var originRequests = 0
        /// Body bytes that came from the origin.
        public var originBytes = 0
        /// Objects that had to go for others while they were fresh or stale.
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

        /// Share of requests that cost no request of the origin, 0…1; nil without requests.
        public var hitRatio: Double? {
            let all = hits + misses + collapsed
            return all == 0 ? nil : Double(hits + collapsed) / Double(all)
        }
    }

    public var version = "1"
    public var origin: String
    /// By `EdgeKind`'s raw values.
    public var kinds: [String: Counts] = [:]
    public var cachedObjects = 0
    public var cachedBytes = 0
    public var cacheByteLimit = 0
    /// Connections that are open.
    public var clients = 0
    /// Connections refused because there were as many as may be, in all or from one address.
    public var refusedConnections = 0
    public var originConnections = 0
    /// Fetches under way, and those of them that wait for a connection.
    public var fetches = 0
    public var queuedFetches = 0
    /// Fetches given up because nobody waited for them any more.
    public var givenUpFetches = 0

    public init(origin: String) { self.origin = origin }

    public var total: Counts {
        kinds.values.reduce(into: Counts()) { $0 += $1 }
    }
}
