/// One row per edge and kind of object, over the whole run.
public struct EdgeRow: CSVRow, Equatable {
    public var runID: String = ""
    public var edge: String = ""
    public var kind: String = ""
    public var requests: Int?
    public var hits: Int?
    public var misses: Int?
    public var collapsed: Int?
    public var failures: Int?
    public var clientBytes: Int?
    public var originRequests: Int?
    public var originBytes: Int?
    public var evictions: Int?

    public init() {}

    /// Name in the column `edge` for viewers without an edge.
    public static let direct = "direct"

    public static let fileName = "edges.csv"
    public static let about = "One row per edge and kind of object, over the whole run."
    public static let columns: [CSVColumn<EdgeRow>] = [
        .init("run_id", \.runID, "Run."),
        .init(
            "edge", \.edge,
            "Edge process; 'direct' = the viewers that go straight to the origin, as they counted."),
        .init("kind", \.kind, "playlist, init, segment, part or other."),
        .init("requests", \.requests, "Of clients."),
        .init(
            "hits", \.hits, "Answered from the cache; of nginx with those who waited for a fetch."),
        .init("misses", \.misses, "Fetched for this request."),
        .init("collapsed", \.collapsed, "Joined a fetch that was under way; empty for nginx."),
        .init("failures", \.failures, "Answers 502, 503 and 504 of the edge's own."),
        .init("client_bytes", \.clientBytes, unit: "bytes", "Body bytes handed to clients."),
        .init("origin_requests", \.originRequests, "Requests sent to the origin."),
        .init(
            "origin_bytes", \.originBytes, unit: "bytes",
            "Body bytes that came from the origin, across the WAN where there is one."),
        .init("evictions", \.evictions, "Objects that had to go for others; empty for nginx."),
    ]
}
