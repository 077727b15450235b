import Statistics

/// The document that `analyze --json` prints. The encoder writes the names of the properties in
/// snake case. The keys are fixed, and keys may be added.
package struct AnalysisJSON: Encodable, Sendable {
    /// A number that is written as null, and not left out, if there is none.
    struct Nullable: Encodable, Sendable {
        var value: Double?

        init(_ value: Double?) { self.value = value }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if let value { try container.encode(value) } else { try container.encodeNil() }
        }
    }

    struct Delay: Encodable, Sendable {
        var count: Int
        var mean, p50, p90, p99, max: Nullable
    }

    struct Viewer: Encodable, Sendable {
        var client, `protocol`: String
        var clientPort, payloadBytes, wireBytes, networkBytes, tcpPayloadBytes: Int
        var segments, retransmittedBytes, matched, unmatched, burst, missing: Int
        var dissected, mssAssumed: Bool
        var wireKbps: Nullable
    }

    struct Stream: Encodable, Sendable {
        var name, app: String
        var publishers, subscribers: Int
        var subscribersByProtocol: [String: Int]
        var payloadKbps, wireKbps: Nullable
        var retransmittedBytes: Int
        var relayDelayMs: Delay
        var ingressPayloadBytes, ingressMessages: Int?
        var matched, unmatched, burst, missing: Int
        var viewers: [Viewer]
    }

    struct Packets: Encodable, Sendable {
        var packets, bytes: Int
        var durationS: Double
        var flows, undissectedFlows, encryptedFlows, ignoredFlows, gaps, gapBytes: Int
        var outOfOrderSegments, ipFragments, duplicates, malformedPackets: Int
        var droppedPackets: Int?
        /// Every packet is understood or passed over, except duplicates.
        var understoodPackets: Int
        var passedOver: [PassedOver]
        /// Packets that the snap length has cut.
        var cut: Cut?
        var copies: Copies?
        var unreadBodies: [Unread]
        /// Reason why the report is of a part of the file only.
        var problem: String?
        var ports: [Port]
    }

    struct PassedOver: Encodable, Sendable {
        var reason: String
        var number: Int?
        var name: String
        var packets: Int
        var mend: String
    }

    struct Cut: Encodable, Sendable {
        var packets, ofPackets, atBytes, payloadBytes, connections: Int
        var mend: String
    }

    struct Copies: Encodable, Sendable {
        var packets, bytes: Int
        var interfaces: [String]
        var mend: String
    }

    struct Unread: Encodable, Sendable {
        var contentCoding: String
        var bodies: Int
        var mend: String
    }

    struct Port: Encodable, Sendable {
        var port, flows, undissectedFlows: Int
        var upstreamTcpPayloadBytes, upstreamWireBytes: Int
        var downstreamTcpPayloadBytes, downstreamWireBytes: Int
    }

    struct HTTPRow: Encodable, Sendable {
        var rendition, kind: String
        var responses, failures, tcpPayloadBytes, wireBytes, retransmittedBytes: Int
    }

    var streams: [Stream]
    var http: [HTTPRow]
    var capture: Packets

    /// - Parameter problem: reason why the report is of a part of the file only.
    package init(_ report: CaptureReport, problem: String? = nil) {
        streams = report.streams.map(Stream.init)
        http = report.http.map {
            HTTPRow(
                rendition: $0.rendition, kind: $0.kind.rawValue, responses: $0.responses,
                failures: $0.failures, tcpPayloadBytes: $0.payloadBytes, wireBytes: $0.wireBytes,
                retransmittedBytes: $0.retransmittedBytes)
        }
        capture = Packets(report.capture, problem: problem)
    }
}

extension AnalysisJSON.Packets {
    fileprivate init(_ summary: CaptureSummary, problem: String?) {
        self.init(
            packets: summary.packets, bytes: summary.bytes, durationS: summary.durationSeconds,
            flows: summary.flows, undissectedFlows: summary.undissectedFlows,
            encryptedFlows: summary.encryptedFlows,
            ignoredFlows: summary.ignoredFlows, gaps: summary.gaps, gapBytes: summary.gapBytes,
            outOfOrderSegments: summary.outOfOrderSegments,
            ipFragments: summary.ipFragments, duplicates: summary.duplicates,
            malformedPackets: summary.malformedPackets, droppedPackets: summary.droppedPackets,
            understoodPackets: summary.understoodPackets,
            passedOver: summary.passedOver.map {
                AnalysisJSON.PassedOver(
                    reason: $0.reason.rawValue, number: $0.number, name: $0.name,
                    packets: $0.packets, mend: $0.mend)
            },
            cut: summary.cutPackets == 0
                ? nil
                : AnalysisJSON.Cut(
                    packets: summary.cutPackets, ofPackets: summary.packets,
                    atBytes: summary.cutLength, payloadBytes: summary.cutBytes,
                    connections: summary.cutFlows, mend: "capture with -s 0"),
            copies: summary.copies.map {
                AnalysisJSON.Copies(
                    packets: $0.packets, bytes: $0.bytes, interfaces: $0.interfaces, mend: $0.mend)
            },
            unreadBodies: summary.unreadBodies.map {
                AnalysisJSON.Unread(
                    contentCoding: $0.coding, bodies: $0.bodies, mend: $0.mend)
            }, problem: problem,
            ports: summary.ports.map {
                AnalysisJSON.Port(
                    port: Int($0.port), flows: $0.flows, undissectedFlows: $0.undissectedFlows,
                    upstreamTcpPayloadBytes: $0.upstream.payloadBytes,
                    upstreamWireBytes: $0.upstream.linkBytes,
                    downstreamTcpPayloadBytes: $0.downstream.payloadBytes,
                    downstreamWireBytes: $0.downstream.linkBytes)
            })
    }
}

extension AnalysisJSON.Stream {
    fileprivate init(_ stream: CapturedStreamReport) {
        let delay = stream.relayDelay
        let counts = stream.viewers.map(\.messages)
        self.init(
            name: stream.name, app: stream.app, publishers: stream.publishers,
            subscribers: stream.subscribers, subscribersByProtocol: stream.subscribersByProtocol,
            payloadKbps: .init(stream.payloadKbps), wireKbps: .init(stream.wireKbps),
            retransmittedBytes: stream.retransmittedBytes,
            relayDelayMs: AnalysisJSON.Delay(
                count: delay?.count ?? 0, mean: .init(delay?.meanMilliseconds),
                p50: .init(delay?.milliseconds(atPercentile: 50)),
                p90: .init(delay?.milliseconds(atPercentile: 90)),
                p99: .init(delay?.milliseconds(atPercentile: 99)),
                max: .init(delay?.maximumMilliseconds)),
            ingressPayloadBytes: stream.ingress?.payloadBytes,
            ingressMessages: stream.ingress.map { $0.audioMessages + $0.videoMessages },
            matched: counts.reduce(0) { $0 + $1.matched },
            unmatched: counts.reduce(0) { $0 + $1.unmatched },
            burst: counts.reduce(0) { $0 + $1.burst },
            missing: counts.reduce(0) { $0 + $1.missing },
            viewers: stream.viewers.map(AnalysisJSON.Viewer.init))
    }
}

extension AnalysisJSON.Viewer {
    fileprivate init(_ viewer: SubscriberReport) {
        let traffic = viewer.traffic
        let counts = viewer.messages
        self.init(
            client: viewer.clientAddress, protocol: viewer.transport.rawValue,
            clientPort: Int(viewer.clientPort), payloadBytes: viewer.payloadBytes,
            wireBytes: traffic.linkBytes, networkBytes: traffic.networkBytes,
            tcpPayloadBytes: traffic.payloadBytes, segments: traffic.segments,
            retransmittedBytes: traffic.retransmittedBytes, matched: counts.matched,
            unmatched: counts.unmatched, burst: counts.burst, missing: counts.missing,
            dissected: viewer.isDissected, mssAssumed: traffic.mssAssumed,
            wireKbps: .init(viewer.wireKbps))
    }
}
