import Statistics

/// Metrics of the relay as a whole: copies of payloads, sender threads, delays.
enum RelayMetrics {
    private typealias Sample = MetricsText.Sample

    static func add(_ status: ServerStatus, to page: inout MetricsText) {
        page.add(
            "millrace_relayed_messages_total", .counter,
            "Media messages that publishers have sent and that are relayed.",
            [status.relayedMessages].compactMap(\.self).map { Sample($0) })
        page.add(
            "millrace_payload_copies_total", .counter,
            "Times that the payload of a message was copied.",
            [status.payloadCopies].compactMap(\.self).map { Sample($0) })
        page.add(
            "millrace_sender_threads", .gauge, "Threads that write to receivers.",
            [status.senderThreads].compactMap(\.self).map { Sample($0) })
        guard let delays = status.delays else { return }
        page.add(
            "millrace_delivery_seconds", .gauge,
            "Time of a delivery since the start, of one video message in 17: queueing, service and write.",
            delays.parts.flatMap { name, part in
                [("50", part.p50Milliseconds), ("99", part.p99Milliseconds)].map {
                    percentile, milliseconds in
                    Sample(milliseconds / 1e3, ["part": name, "percentile": percentile])
                }
            })
        page.add(
            "millrace_measured_deliveries_total", .counter,
            "Deliveries that were measured.", [Sample(delays.write.count)])
    }
}
