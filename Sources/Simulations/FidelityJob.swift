// How fidelity is computed. `FidelityJob` reads only a results directory. The plan comes from the
// resolved scenario, and the sizes of segments come from segments.csv, by the times at which the
// segments began. The live epoch and the players' start come from viewers.csv. In `SoloSimulation`
// a `PlaylistClient` then loads playlists at the times at which the session would load them, over
// the same link. Time-outs, retries and segments that leave the playlist are not modelled.

import ABR
import Foundation
import Netem
package import Results
import Scenario
import SimulationKernel
import Statistics
import Viewer

/// Simulates the adaptive viewers of a finished run and compares the results with the run. The
/// simulation has the same players on the same links, with the segment sizes and the availability
/// of the run. The job reads only the run's results.
package struct FidelityJob {
    private let results: RunResults
    private let scenario: TrialScenario
    private let plan: Plan
    private let segments: [SegmentRow]

    /// - Parameters:
    ///   - path: Results directory.
    ///   - folder: Folder of the scenario's trace files.
    /// - Throws: `ResultsError`; `ScenarioErrors`; `FidelityError` if a row is not one that a run
    ///   writes.
    package init(path: String, folder: String = ".") throws {
        results = try RunResults(path: path)
        let resolved = "\(path)/scenario.resolved.yml"
        scenario = try TrialScenario.parse(
            String(contentsOfFile: resolved, encoding: .utf8), file: resolved, folder: folder)
        plan = Plan(scenario)
        segments = results.segments
        try FidelityRows(path: path, plan: plan).check(results.viewers, segments)
    }

    /// Reasons why the run is not a valid measurement; empty if it is valid.
    package var voidReasons: [String] { results.manifest.validity.reasons }

    /// Largest differences of medians that still count as agreement.
    enum Limit {
        static let bitrateShare = 0.03
        static let stallShare = 0.05
        static let stallSeconds = 0.5
        static let switches = 2.0
    }

    private struct Session {
        var group: Int
        var bitrate: Double
        var stalled: Double
        var switches: Double
    }

    /// Compares, writes `fidelity.csv` into the directory and returns its rows.
    /// - Throws: `FidelityError`.
    package func write() throws -> [FidelityRow] {
        let rows = try run()
        let path = "\(results.path)/\(FidelityRow.fileName)"
        do {
            try FidelityRow.csv(rows).write(toFile: path, atomically: true, encoding: .utf8)
        } catch {
            throw FidelityError(
                description: "\(path) cannot be written: \(error.localizedDescription)")
        }
        return rows
    }

    /// - Returns: A row for each group and figure, in order.
    /// - Throws: `FidelityError` if the run has nothing that can be simulated.
    package func run() throws -> [FidelityRow] {
        let adaptive = results.viewers.filter {
            $0.playProtocol == "hls" && $0.mediaEpochSeconds != nil
                && ($0.meanBitrateKilobits ?? 0) > 0
        }
        guard !adaptive.isEmpty else {
            throw FidelityError(
                description: "\(results.path) has no live HLS viewers that played anything")
        }
        let bySession = Dictionary(grouping: segments) { $0.viewer ?? -1 }
        let durations = Dictionary(
            adaptive.compactMap { row in
                row.segmentDurationSeconds.map { (row.stream, $0) }
            }, uniquingKeysWith: { a, _ in a })
        let sizes = try SegmentSizes(segments, durations: durations) {
            plan.viewers[$0 % Plan.sessionStride].stream
        }
        guard !sizes.isEmpty else {
            throw FidelityError(
                description: "\(results.path)/segments.csv has no media_s; run the scenario again")
        }
        let publishDelay = try publishDelay(adaptive, bySession)
        var measured: [Session] = []
        var simulated: [Session] = []
        for row in adaptive {
            guard let index = row.viewer, let rendition = bySession[index]?.first?.rendition,
                let session = try simulate(
                    row, sizes, firstRendition: rendition, publishDelay: publishDelay)
            else { continue }
            measured.append(
                Session(
                    group: row.group ?? 0, bitrate: row.meanBitrateKilobits ?? 0,
                    stalled: row.stalledSeconds ?? 0, switches: Double(row.switches ?? 0)))
            simulated.append(session)
        }
        guard !measured.isEmpty else {
            throw FidelityError(description: "\(results.path) has no segments.csv to simulate from")
        }
        return rows(measured, simulated, adaptive)
    }

    /// Returns the time in milliseconds from a segment's end until a playlist listed the segment. A
    /// viewer requests a segment only after it has received a playlist, so each request gives an
    /// upper limit. The smallest limit counts.
    private func publishDelay(
        _ viewers: [ViewerRow], _ segments: [Int: [SegmentRow]]
    ) throws -> Double {
        var least = Double.infinity
        for row in viewers {
            guard let index = row.viewer, let duration = row.segmentDurationSeconds else {
                continue
            }
            let link = try link(of: plan.viewers[index % Plan.sessionStride])
            var cursor = RateSchedule.Cursor()
            let bits = Double((row.playlistBytes ?? 0) + (row.headBytes ?? 0)) * 8
            for segment in segments[index] ?? [] {
                guard let begun = segment.mediaSeconds, let asked = segment.requestedSeconds else {
                    continue
                }
                let way = cursor.delaySeconds(at: asked, in: link)
                let listed = Self.begun(bits, endedAt: asked, over: link) - way
                least = min(least, listed - begun - duration)
            }
        }
        // The viewer that learned of a segment first received a playlist that was just in time. The
        // same must be possible in the simulation.
        return least.isFinite ? max(0, least - Self.listedSooner) * 1000 : 0
    }

    /// Returns the time in seconds at which `bits` that had passed a link at `end` began to pass
    /// it. The time is at most one minute before `end`.
    private static func begun(
        _ bits: Double, endedAt end: Double, over link: RateSchedule
    ) -> Double {
        var cursor = RateSchedule.Cursor()
        let all = cursor.capacity(at: end, in: link)
        var (early, late) = (max(0, end - 60), end)
        for _ in 0..<32 {
            let middle = (early + late) / 2
            if all - cursor.capacity(at: middle, in: link) >= bits {
                early = middle
            } else {
                late = middle
            }
        }
        return early
    }

    /// Time in seconds by which a segment may have been listed before a viewer first learned of it.
    private static let listedSooner = 0.001

    /// - Parameter firstRendition: Index of the rendition that the viewer began with.
    private func simulate(
        _ row: ViewerRow, _ sizes: SegmentSizes, firstRendition: Int, publishDelay: Double
    ) throws -> Session? {
        guard let index = row.viewer, let epoch = row.mediaEpochSeconds,
            let duration = row.segmentDurationSeconds, let target = row.targetLatencySeconds,
            let interval = row.reloadIntervalSeconds, let length = row.sessionSeconds,
            let start = row.playerStartSeconds
        else { return nil }
        let viewer = plan.viewers[index % Plan.sessionStride]
        let bitrates = row.ladder.split(separator: " ").compactMap { Double($0) }
        guard !bitrates.isEmpty else { return nil }
        let title = try Title(
            name: row.stream, segmentDuration: duration * 1000, bitrates: bitrates,
            sizes: sizes.table(row.stream, bitrates))
        guard let spec = plan.hlsSpec(viewer, url: ""),
            let named = AlgorithmName(parsing: spec.algorithm)
        else { return nil }
        let algorithm = spec.rendition == nil ? named : .fixed(rendition: firstRendition)
        let configuration = spec.playerConfiguration(
            segmentDuration: duration * 1000, liveTarget: target * 1000)
        var simulated = SimulatedViewer(
            title: title, player: configuration, algorithm: algorithm,
            link: try link(of: viewer))
        simulated.arrival = start * 1000
        simulated.watchTime = length * 1000
        var timeline = LiveTimeline()
        timeline.epoch = sizes.epoch(row.stream, near: epoch) * 1000
        timeline.publishDelay = publishDelay
        timeline.playlists = PlaylistReloads(
            interval: interval * 1000, bits: Double(row.playlistBytes ?? 0) * 8,
            headBits: Double(row.headBytes ?? 0) * 8,
            initializationBits: row.initializationBytes.map { Double($0) * 8 })
        var simulation = try SoloSimulation(simulated, index: index, timeline: timeline)
        let account = simulation.run().account
        guard account.segments > 0 else { return nil }
        return Session(
            group: viewer.group, bitrate: account.meanBitrate, stalled: account.stalled / 1000,
            switches: Double(account.switches))
    }

    /// Returns a viewer's link in the form that flows use. Time 0 is the start of the run.
    private func link(of viewer: ViewerPlan) throws -> RateSchedule {
        guard let place = viewer.link else {
            // The machine's own network has a higher rate than any rendition needs.
            return RateSchedule(constant: Bitrate(bitsPerSecond: 10_000_000_000))
        }
        guard let socket = plan.links[place.link].socket else {
            throw FidelityError(
                description: "group \(viewer.group) is behind real packets, which flows do not "
                    + "model; take the socket shell")
        }
        return try socket.payloadSchedule(offsetNanoseconds: place.offsetNanoseconds)
    }

    // MARK: Comparison

    private func rows(
        _ measured: [Session], _ simulated: [Session], _ viewers: [ViewerRow]
    ) -> [FidelityRow] {
        Set(measured.map(\.group)).sorted().flatMap { group -> [FidelityRow] in
            let real = measured.filter { $0.group == group }
            let virtual = simulated.filter { $0.group == group }
            let example = viewers.first { $0.group == group }
            func row(
                _ metric: String, _ value: (Session) -> Double, _ limit: (Double) -> Double
            ) -> FidelityRow {
                var row = FidelityRow()
                row.runID = results.manifest.runID
                row.group = group
                row.algorithm = example?.algorithm ?? ""
                row.link = example?.link ?? ""
                row.sessions = real.count
                row.metric = metric
                let (a, b) = (
                    Quantile.of(real.map(value), 0.5), Quantile.of(virtual.map(value), 0.5)
                )
                row.measured = a
                row.simulated = b
                row.difference = b - a
                row.limit = limit(a)
                row.within = abs(b - a) <= limit(a) ? 1 : 0
                return row
            }
            return [
                row("mean_bitrate_kbps", \.bitrate) { $0 * Limit.bitrateShare },
                row("stalled_s", \.stalled) {
                    max($0 * Limit.stallShare, Limit.stallSeconds)
                },
                row("switches", \.switches) { _ in Limit.switches },
            ]
        }
    }
}

/// Reason why a run cannot be simulated.
package struct FidelityError: Error, CustomStringConvertible {
    package var description: String
}

/// Size in bits of every segment that a viewer fetched, by stream, rendition and the segment's
/// start time. The numbers of segments in different renditions may differ.
private struct SegmentSizes {
    private struct Stream {
        /// Duration of a segment in seconds.
        var duration: Double
        /// Start time in seconds of the first segment that a viewer fetched; `count` is the number
        /// of segments from there on.
        var first = Double.infinity
        var count = 0
        /// Sizes by rendition and by distance from the first segment.
        var bits: [Int: [Int: Double]] = [:]
    }
    private var streams: [String: Stream] = [:]
    /// Maximum number of segments: two days of segments of 2 s.
    private static let mostSegments = 86_400.0

    var isEmpty: Bool { streams.values.allSatisfy { $0.count == 0 } }

    /// - Parameters:
    ///   - durations: Duration of each stream's segments in seconds.
    ///   - stream: Function that returns the stream of a viewer.
    /// - Throws: `FidelityError` if the segments cannot come from one run.
    init(_ rows: [SegmentRow], durations: [String: Double], stream: (Int) -> String) throws {
        streams = durations.mapValues { Stream(duration: $0) }
        for row in rows {
            guard let viewer = row.viewer, let begun = row.mediaSeconds else { continue }
            let name = stream(viewer)
            guard let known = streams[name] else { continue }
            streams[name]?.first = min(known.first, begun)
        }
        for row in rows where row.abandonedFor == nil && row.cut != 1 {
            guard let viewer = row.viewer, let rendition = row.rendition,
                let begun = row.mediaSeconds,
                let bytes = row.bytes, bytes > 0
            else { continue }
            let name = stream(viewer)
            guard let known = streams[name] else { continue }
            let distance = ((begun - known.first) / known.duration).rounded()
            guard (0..<Self.mostSegments).contains(distance) else {
                throw FidelityError(
                    description:
                        "segments.csv: segments of '\(name)' that began \(known.first) s and "
                        + "\(begun) s after the start are of one run? The playlists' dates jumped")
            }
            let place = Int(distance)
            streams[name]?.bits[rendition, default: [:]][place] = Double(bytes) * 8
            streams[name]?.count = max(known.count, place + 1)
        }
    }

    /// Returns the start time in seconds of the table's first segment, on a viewer's own time
    /// scale.
    /// - Parameter epoch: Start time of one of the viewer's segments.
    func epoch(_ stream: String, near epoch: Double) -> Double {
        guard let known = streams[stream] else { return epoch }
        return epoch + ((known.first - epoch) / known.duration).rounded() * known.duration
    }

    /// Returns the sizes, `[segment][rendition]`. A segment that no viewer fetched has the mean
    /// size of its rendition.
    func table(_ stream: String, _ bitrates: [Double]) -> [[Double]] {
        guard let known = streams[stream] else { return [] }
        let columns = bitrates.enumerated().map { rendition, bitrate in
            let bits = known.bits[rendition] ?? [:]
            let mean =
                bits.isEmpty
                ? bitrate * known.duration * 1000
                : bits.values.reduce(0, +) / Double(bits.count)
            return (bits: bits, mean: mean)
        }
        return (0..<known.count).map { place in
            columns.map { $0.bits[place] ?? $0.mean }
        }
    }
}
