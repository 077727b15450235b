import Scenario
import Capture
import Publisher
import Results
import SimulationKernel
import Statistics
import Viewer

/// One encoded rendition as the capture saw it come back into the server, over the steady window.
struct EncodedFrames {
    /// From the source frame's last byte into the server to that of the rendition's frame with the
    /// same stamp.
    var delay = DelayHistogram()
    /// Source frames of the window that came in and that the rendition's frame rate keeps, and those
    /// of them that came back.
    var expected = 0
    var found = 0

    /// - Parameters:
    ///   - source: as they came in.
    ///   - rendition: likewise.
    ///   - isInWindow: of a frame's intended time.
    init(
        source: [IngressFrame], rendition: [IngressFrame], kept: KeptFrames,
        isInWindow: (Int64) -> Bool
    ) {
        var arrivals: [UInt64: Int64] = [:]
        for frame in source where isInWindow(frame.intendedNanoseconds) {
            arrivals[frame.frameNumber] = frame.arrivalNanoseconds
        }
        var seen: Set<UInt64> = []
        for frame in rendition {
            guard let arrival = arrivals[frame.frameNumber], seen.insert(frame.frameNumber).inserted
            else { continue }
            delay.record(nanoseconds: frame.arrivalNanoseconds - arrival)
        }
        expected = kept.count(of: arrivals.keys, seen: seen.min())
        found = min(expected, seen.count)
    }

    /// 0...1; nil where no source frame came in.
    var share: Double? { expected > 0 ? Double(found) / Double(expected) : nil }
}

extension PublisherPlan {
    /// Which of its source's frames it has; those that are published have all.
    func keptFrames(of schedule: FrameSchedule?) -> KeptFrames {
        guard let encoded, let rate = schedule?.framesPerSecond else { return .all }
        return KeptFrames(source: rate, rendition: Double(encoded.framesPerSecond))
    }
}

extension TrialRecord {
    /// By stream key; empty without a capture.
    var encodedFrames: [String: EncodedFrames] {
        guard wire.capture.ran, plan.hasEncoders else { return [:] }
        var result: [String: EncodedFrames] = [:]
        for publisher in plan.publishers where !publisher.isPublished {
            guard
                let source = plan.publishers.first(where: {
                    $0.isLadderSource && $0.streamID == publisher.streamID
                })
            else { continue }
            let published = streams.first { $0.streamID == publisher.streamID }
            func frames(_ key: String) -> [IngressFrame] {
                (wire.ingressFrames[key] ?? []).filter { $0.streamID == publisher.streamID }
            }
            result[publisher.streamKey] = EncodedFrames(
                source: frames(source.streamKey), rendition: frames(publisher.streamKey),
                kept: publisher.keptFrames(of: published.flatMap(FrameSchedule.init)),
                isInWindow: window.contains)
        }
        return result
    }

    /// Of each published stream: from the intended time to its last byte into the server.
    var ingestDelay: [(publisher: PublisherPlan, delay: DelayHistogram)] {
        // Both ends on one clock: the difference of the clocks is known to some microseconds.
        let offset = clockOffset.minimumNanoseconds
        return plan.publishers.filter(\.isPublished).map { publisher in
            var delay = DelayHistogram()
            for frame in wire.ingressFrames[publisher.streamKey] ?? []
            where frame.streamID == publisher.streamID
                && window.contains(frame.intendedNanoseconds)
            {
                delay.record(
                    nanoseconds: frame.arrivalNanoseconds - offset - frame.intendedNanoseconds)
            }
            return (publisher, delay)
        }
    }

    /// From the server's last byte out to the probe: what the network and its socket take.
    private func deliveryDelay(of group: RenditionGroup) -> DelayHistogram {
        let offset = clockOffset.minimumNanoseconds
        let byPeer = WireSubscriber.framesByPeer(group.wire)
        var delay = DelayHistogram()
        for probe in group.probes {
            let egress = byPeer[plan.peer(ofSession: probe.index, port: probe.localPort)] ?? [:]
            for frame in probe.frames {
                guard let left = egress[frame.frameNumber]?.egressNanoseconds else { continue }
                delay.record(nanoseconds: frame.arrivalNanoseconds - (left - offset))
            }
        }
        return delay
    }

    /// The hops beside relay and end-to-end; of runs with encoders or probes of HLS.
    func hopDelayRows(
        _ groups: [RenditionGroup], _ encoded: [String: EncodedFrames]
    ) -> [DelayRow] {
        guard plan.keepsIngressFrames else { return [] }
        var rows: [DelayRow] = []
        for (publisher, delay) in ingestDelay {
            rows += delayRows(
                delay, publisher, vantage: "wire", hop: "ingest", playProtocol: "rtmp",
                correction: "corrected")
        }
        for publisher in plan.publishers {
            guard let frames = encoded[publisher.streamKey] else { continue }
            rows += delayRows(
                frames.delay, publisher, vantage: "wire", hop: "encoder", playProtocol: "rtmp",
                correction: "uncorrected")
        }
        for group in groups {
            rows += delayRows(
                deliveryDelay(of: group), group.publisher, vantage: "viewer", hop: "delivery",
                playProtocol: group.playProtocol, correction: "uncorrected")
        }
        return rows
    }

    /// CPU seconds per second of media of an encoder; nil where it was not seen, or makes several
    /// renditions. Media is made in real time, less what did not come back.
    func encoderCPU(of publisher: PublisherPlan, _ frames: EncodedFrames?) -> Double? {
        guard !publisher.isPublished, !publisher.sharesEncoder else { return nil }
        let share = frames?.share ?? 1
        return usage?.steadyCPU(ofName: "encoder-\(publisher.streamKey)").flatMap {
            share > 0 ? $0 / share : nil
        }
    }

    /// Adds what is known of a rendition's encoder to its rows.
    func addEncoders(_ rows: [RenditionRow], _ encoded: [String: EncodedFrames]) -> [RenditionRow] {
        let byKey = Dictionary(
            plan.publishers.filter { !$0.isPublished }.map { ($0.streamKey, $0) },
            uniquingKeysWith: { a, _ in a })
        guard !byKey.isEmpty else { return rows }
        var rows = rows
        for publisher in plan.publishers where !publisher.isPublished {
            // Nobody plays it, or only over HLS without a capture: the encoder has its row still.
            let vantages = Set(
                rows.filter {
                    $0.stream == publisher.stream && $0.rendition == publisher.rendition
                }.map(\.vantage))
            let isCaptured = encoded[publisher.streamKey] != nil
            guard
                isCaptured && !vantages.contains("wire")
                    || quality[publisher.streamKey] != nil && vantages.isEmpty
            else { continue }
            var row = RenditionRow()
            row.runID = runID
            (row.stream, row.rendition) = (publisher.stream, publisher.rendition)
            (row.vantage, row.playProtocol) = (isCaptured ? "wire" : "viewer", "all")
            row.viewers = 0
            row.nominalKilobits = publisher.bitrate?.kilobitsPerSecond
            row.payloadKilobits = wire.ingressKilobits[publisher.streamKey]
            rows.append(row)
        }
        return rows.map { row in
            guard let publisher = byKey["\(row.stream)_\(row.rendition)"] else { return row }
            var row = row
            row.cpuSecondsPerMediaSecond = encoderCPU(of: publisher, encoded[publisher.streamKey])
            if let quality = quality[publisher.streamKey] {
                row.ssim = quality.ssim
                row.psnrDecibels = quality.psnrDecibels
                row.qualityFrames = quality.frames
            }
            if row.vantage == "wire", let frames = encoded[publisher.streamKey] {
                row.encoderDelayP50Milliseconds = frames.delay.milliseconds(atPercentile: 50)
                row.encoderDelayP99Milliseconds = frames.delay.milliseconds(atPercentile: 99)
                row.stampsExpected = frames.expected
                row.stampsFound = frames.found
            }
            return row
        }
    }

    var encoderNotes: [String] {
        guard plan.hasEncoders else { return [] }
        var notes: [String] = []
        if plan.publishers.contains(where: \.sharesEncoder) {
            notes.append(
                "one ffmpeg makes all renditions of a stream (mode: single): its CPU time is in the role encoders and no rendition's"
            )
        }
        if !wire.capture.ran {
            notes.append(
                "without a capture the delay through the encoder is part of the end-to-end delay, and stamps after the encoder are those that probes found"
            )
        }
        return notes
    }
}
