/// The status of an edge in the form that Prometheus reads.
enum EdgeMetrics {
    private typealias Sample = MetricsText.Sample

    /// - Parameters:
    ///   - refused: Connections that were refused, by the limit that was reached.
    ///   - process: Figures of the edge's process; nil = unknown.
    static func text(
        _ status: EdgeStatus, refused: [Admissions.Limit: Int],
        _ process: ProcessMetrics? = ProcessMetrics.now
    ) -> String {
        var page = MetricsText()
        addKinds(status, to: &page)
        func gauge(_ name: String, _ help: String, _ value: Int) {
            page.add("millrace_edge_\(name)", .gauge, help, [Sample(value)])
        }
        gauge("cache_objects", "Objects in the cache.", status.cachedObjects)
        gauge(
            "cache_bytes", "Bytes of the objects in the cache, headers included.",
            status.cachedBytes)
        gauge("cache_limit_bytes", "Largest number of bytes in the cache.", status.cacheByteLimit)
        gauge("client_connections", "Open connections of clients.", status.clients)
        page.add(
            "millrace_edge_refused_connections_total", .counter,
            "Connections of clients that were refused, by the limit that was reached.",
            [Admissions.Limit.connections, .connectionsPerAddress].map { limit in
                Sample(refused[limit] ?? 0, ["limit": limit.rawValue])
            })
        gauge("origin_connections", "Open connections to the origin.", status.originConnections)
        gauge("fetches", "Fetches in progress, queued ones included.", status.fetches)
        gauge(
            "queued_fetches", "Fetches that wait for a connection to the origin.",
            status.queuedFetches)
        page.add(
            "millrace_edge_given_up_fetches_total", .counter,
            "Fetches that were given up: no client waited for them any more, or they were too slow while others waited.",
            [Sample(status.givenUpFetches)])
        process?.add(to: &page)
        return page.text
    }

    private static func addKinds(_ status: EdgeStatus, to page: inout MetricsText) {
        let kinds = EdgeKind.allCases.map { kind in
            (name: kind.rawValue, counts: status.kinds[kind.rawValue] ?? EdgeStatus.Counts())
        }
        func counter(_ name: String, _ help: String, _ value: (EdgeStatus.Counts) -> Int) {
            page.add(
                "millrace_edge_\(name)_total", .counter, help,
                kinds.map { Sample(value($0.counts), ["kind": $0.name]) })
        }
        // A counter never goes back, so a request that joined a private response stays here what
        // it was at first.
        page.add(
            "millrace_edge_requests_total", .counter,
            "Requests of clients, by their outcome.",
            kinds.flatMap { kind, counts in
                [
                    ("hit", counts.hits), ("miss", counts.misses - counts.privateFetches),
                    ("collapsed", counts.collapsed + counts.privateFetches),
                    ("refused", counts.refused),
                ].map { outcome, count in Sample(count, ["kind": kind, "outcome": outcome]) }
            })
        counter(
            "private_fetches",
            "Collapsed requests that were fetched alone, because the response was private.",
            \.privateFetches)
        counter("failures", "Responses 502, 503 and 504 that the edge itself made.", \.failures)
        counter("sent_bytes", "Bytes of bodies handed to clients' sockets.", \.clientBytes)
        counter(
            "origin_requests", "Requests sent to the origin, repeated ones included.",
            \.originRequests)
        counter("origin_received_bytes", "Bytes of bodies from the origin.", \.originBytes)
        counter(
            "cache_evictions", "Objects that were removed to make room for others.", \.evictions)
    }
}
