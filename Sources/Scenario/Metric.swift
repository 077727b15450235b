/// A figure that thresholds may refer to.
package enum Metric: String, Codable, Sendable, CaseIterable {
    /// From the intended time to the viewer (`vantage:viewer`, which holds where none is given), or
    /// through the server with `vantage:wire`.
    case delayMilliseconds = "delay_ms"
    /// From the time the frame was really sent.
    case uncorrectedDelayMilliseconds = "delay_uncorrected_ms"
    /// From the connection attempt to the first audio or video message, of load viewers and probes.
    case startupMilliseconds = "startup_ms"
    /// How late generators were for their own schedule in the window; by role, the worst counts.
    case generatorLagMilliseconds = "generator_lag_ms"
    /// Frames due to probes in the window that did not come; no figure without a probe.
    case framesMissing = "frames_missing"
    case framesDuplicate = "frames_duplicate"
    case retransmittedBytes = "retransmitted_bytes"
    case joinFailures = "join_failures"
    case disconnects
    case stalls
    case payloadKilobits = "payload_kbps"
    case wireKilobits = "wire_kbps"
    /// This is stalled time over playing and stalled time together, 0…1, of a probe or of a group of
    /// adaptive viewers.
    case stallRatio = "stall_ratio"
    /// Of a group of adaptive viewers: mean of their mean nominal bit rates.
    case meanBitrateKilobits = "mean_bitrate_kbps"
    /// Each adaptive viewer's mean distance from the live edge.
    case liveLatencyMilliseconds = "live_latency_ms"
    /// Changes of rendition of adaptive viewers.
    case switches
    /// Of an encoder, per second of media.
    case encoderCPUSeconds = "cpu_s_per_media_s"
    /// From the source's frame into the server to the rendition's; with a capture.
    case encoderDelayMilliseconds = "encoder_delay_ms"
    /// Share of the stamps that the rendition's frame rate keeps found after the encoder, 0…1.
    case stampsFound = "stamps_found"
    /// Of a rendition against its source, 1 = alike; of ladders with `quality`.
    case ssim
    /// The same in dB; 100 where there is no difference at all.
    case psnrDecibels = "psnr_db"
    /// 100 = one core.
    case serverCPUPercent = "server_cpu_percent"
    case viewerCPUPercent = "viewer_cpu_percent"
    case publisherCPUPercent = "publisher_cpu_percent"
    case serverRSSBytes = "server_rss_bytes"
    /// All edges together.
    case edgeCPUPercent = "edge_cpu_percent"
    /// Requests that came to the origin over the whole run, by kind and by way.
    case originRequests = "origin_requests"
    /// Body bytes that crossed the WAN over the whole run, by kind and by way.
    case wanBytes = "wan_bytes"
    /// Share of the edges' requests that cost none of the origin's, 0…1, by kind.
    case edgeHitRatio = "edge_hit_ratio"
    /// Segment bytes that edges read from the origin over those of the distinct segments that
    /// their viewers asked for, times the number of edges; 1 is ideal. Not where parts are fetched.
    case wanSegmentRatio = "wan_segment_ratio"
    /// Segment requests of the edges at the origin for each distinct segment; ideally the number of
    /// edges. Not where parts are fetched.
    case originRequestsPerSegment = "origin_requests_per_segment"
    /// From a segment's request to its last byte, of adaptive viewers in the window.
    case fetchMilliseconds = "fetch_ms"
    /// Median of `fetch_ms` of viewers at the origin less that of viewers at edges, between groups
    /// alike in stream, rendition or algorithm, and link; of several such pairs the mean.
    case fetchSavedMilliseconds = "fetch_saved_ms"
    /// Viewers in the last five seconds in which four of five segments due were fetched, half of
    /// them within their own duration, under a load that grows; by way, where the server's uplink
    /// is limited.
    case sustainedViewers = "sustained_viewers"

    package enum Kind: String, Sendable {
        case distribution, counter, value

        func accepts(_ aggregation: Threshold.Aggregation) -> Bool {
            switch aggregation {
            case .percentile, .mean, .median, .minimum, .maximum: self == .distribution
            case .count: self == .counter
            case .value: self == .value
            }
        }

        var usage: String {
            switch self {
            case .distribution: "p(N), avg, med, min or max"
            case .counter: "count"
            case .value: "value"
            }
        }
    }

    /// Whether it tells of encoders.
    var isOfEncoders: Bool {
        [.encoderCPUSeconds, .encoderDelayMilliseconds, .stampsFound].contains(self)
            || isOfQuality
    }

    /// Whether renditions must be compared with their source for it.
    var isOfQuality: Bool { self == .ssim || self == .psnrDecibels }

    package var kind: Kind {
        switch self {
        case .delayMilliseconds, .uncorrectedDelayMilliseconds, .startupMilliseconds,
            .generatorLagMilliseconds, .liveLatencyMilliseconds, .fetchMilliseconds,
            .encoderDelayMilliseconds:
            .distribution
        case .framesMissing, .framesDuplicate, .retransmittedBytes, .joinFailures, .disconnects,
            .stalls, .switches, .originRequests, .wanBytes:
            .counter
        case .payloadKilobits, .wireKilobits, .stallRatio, .meanBitrateKilobits,
            .serverCPUPercent, .viewerCPUPercent, .encoderCPUSeconds, .stampsFound,
            .publisherCPUPercent, .serverRSSBytes, .edgeCPUPercent, .edgeHitRatio,
            .wanSegmentRatio, .originRequestsPerSegment, .fetchSavedMilliseconds, .sustainedViewers,
            .ssim, .psnrDecibels:
            .value
        }
    }
}
