import Capture
import Publisher
import Results
import Scenario
import SimulationKernel
import Statistics

/// CPU cost, delay and picture quality of a ladder's encoders.
struct EncoderFigures {
    let record: TrialRecord
    /// Frames that passed through each encoder, by stream key; empty without a capture.
    let frames: [String: EncodedFrames]

    init(_ record: TrialRecord) {
        self.record = record
        frames = Self.frames(of: record)
    }

    private static func frames(of record: TrialRecord) -> [String: EncodedFrames] {
        guard record.wire.capture.ran, record.plan.hasEncoders else { return [:] }
        var result: [String: EncodedFrames] = [:]
        for publisher in record.plan.publishers where !publisher.isPublished {
            guard
                let source = record.plan.publishers.first(where: {
                    $0.isLadderSource && $0.streamID == publisher.streamID
                })
            else { continue }
            func ingress(_ key: String) -> [IngressFrame] {
                (record.wire.ingressFrames[key] ?? []).filter { $0.streamID == publisher.streamID }
            }
            result[publisher.streamKey] = EncodedFrames(
                source: ingress(source.streamKey), rendition: ingress(publisher.streamKey),
                kept: publisher.keptFrames(of: record.schedule(of: publisher)),
                isInWindow: record.window.contains)
        }
        return result
    }

    /// CPU seconds of an encoder per second of media; nil if the encoder was not seen or makes
    /// several renditions. The encoder makes media in real time, and the share that did not return
    /// is subtracted.
    func cpu(of publisher: PublisherPlan) -> Double? {
        guard !publisher.isPublished, !publisher.sharesEncoder else { return nil }
        let share = frames[publisher.streamKey]?.share ?? 1
        return record.usage?.steadyCPU(ofName: "encoder-\(publisher.streamKey)").flatMap {
            share > 0 ? $0 / share : nil
        }
    }

    /// Fills in the figures of a rendition's encoder, which are the same from every vantage point.
    /// Rows of the wire also get what the capture saw of the encoder's frames.
    func fill(_ row: inout RenditionRow) {
        guard
            let publisher = record.plan.publishers.first(where: {
                !$0.isPublished && $0.stream == row.stream && $0.rendition == row.rendition
            })
        else { return }
        row.cpuSecondsPerMediaSecond = cpu(of: publisher)
        if let quality = record.quality[publisher.streamKey] {
            row.ssim = quality.ssim
            row.psnrDecibels = quality.psnrDecibels
            row.qualityFrames = quality.frames
        }
        guard row.vantage == "wire", let frames = frames[publisher.streamKey] else { return }
        row.encoderDelayP50Milliseconds = frames.delay.milliseconds(atPercentile: 50)
        row.encoderDelayP99Milliseconds = frames.delay.milliseconds(atPercentile: 99)
        row.stampsExpected = frames.expected
        row.stampsFound = frames.found
    }

    /// Returns rows for encoders whose renditions have no other row, because nobody plays them or
    /// because they are played only over HLS without a capture.
    func rows(besides rows: [RenditionRow]) -> [RenditionRow] {
        record.plan.publishers.filter { !$0.isPublished }.compactMap { publisher in
            let key = RenditionKey(publisher)
            let vantages = Set(rows.filter { RenditionKey($0) == key }.map(\.vantage))
            let isCaptured = frames[publisher.streamKey] != nil
            guard
                isCaptured && !vantages.contains("wire")
                    || record.quality[publisher.streamKey] != nil && vantages.isEmpty
            else { return nil }
            var row = record.row(
                key, vantage: isCaptured ? "wire" : "viewer", playProtocol: "all", encoders: self)
            row.viewers = 0
            row.payloadKilobits = record.wire.ingressKilobits[publisher.streamKey]
            return row
        }
    }

    var samples: [MetricSample] {
        record.plan.publishers.filter { !$0.isPublished }.flatMap {
            publisher -> [MetricSample] in
            let tags = ["stream": publisher.stream, "rendition": publisher.rendition]
            var samples: [MetricSample] = []
            if let cpu = cpu(of: publisher) {
                samples.append(
                    .init(metric: .encoderCPUSeconds, tags: tags, value: .number(cpu)))
            }
            if let quality = record.quality[publisher.streamKey] {
                samples += [
                    .init(metric: .ssim, tags: tags, value: .number(quality.ssim)),
                    .init(
                        metric: .psnrDecibels, tags: tags,
                        value: .number(min(quality.psnrDecibels ?? 100, 100))),
                ]
            }
            guard let frames = frames[publisher.streamKey] else { return samples }
            if frames.delay.count > 0 {
                samples.append(
                    .init(
                        metric: .encoderDelayMilliseconds, tags: tags,
                        value: .distribution(frames.delay)))
            }
            if let share = frames.share {
                samples.append(.init(metric: .stampsFound, tags: tags, value: .number(share)))
            }
            return samples
        }
    }

    var notes: [String] {
        guard record.plan.hasEncoders else { return [] }
        var notes: [String] = []
        if record.plan.publishers.contains(where: \.sharesEncoder) {
            notes.append(
                "one ffmpeg makes all renditions of a stream (mode: single): its CPU time is in the role encoders and no rendition's"
            )
        }
        if !record.wire.capture.ran {
            notes.append(
                "without a capture the delay through the encoder is part of the end-to-end delay, and stamps after the encoder are those that probes found"
            )
        }
        return notes
    }
}
