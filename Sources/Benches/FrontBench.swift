import Scenario

/// The front of CPU against delay: the embedded stack with several flush intervals, the floor
/// sender with the same intervals, and peers, under the same viewers. Every round runs each of them
/// once; odd rounds go forwards and even rounds go backwards through the list.
package struct FrontBench: Sendable {
    package struct Options: Sendable {
        /// Streams, viewers, rates and times of every run; `pairs` is the number of rounds.
        package var fanout = FanoutBench.Options()
        /// Flush intervals of the embedded stack in milliseconds; nil = as the load is.
        package var flushIntervals: [Int?] = [nil]
        /// Whether the floor sender runs, with each of the intervals that is a number.
        package var hasFloor = false
        package var peers: [BenchPeer] = []

        package init() {}
    }

    package struct Report: Codable, Sendable {
        package var benchmark = "front"
        package var streams: Int
        package var viewers: Int
        package var bitrateKilobits: Int
        package var rounds: Int
        package var measurements: [FanoutBench.Measurement] = []
        package var rows: [FrontRow] = []

        private enum CodingKeys: String, CodingKey {
            case benchmark, streams, viewers, rounds, measurements, rows
            case bitrateKilobits = "bitrate_kbps"
        }
    }

    /// One server with one setting.
    private struct Entry {
        var name: String
        var driver: StackSettings.Driver
        var flushInterval: Int?
        var stackKeys: [String] = []
        /// Chunk size in bytes; nil = that of the peers.
        var chunkSize: Int?
    }

    package let options: Options

    package init(_ options: Options) { self.options = options }

    /// Number of runs in all rounds and modes.
    package var runCount: Int {
        entries.count * max(0, options.fanout.pairs) * options.fanout.modes.count
    }

    private var entries: [Entry] {
        let chunkSize = 65536
        var entries = options.flushIntervals.map {
            Entry(
                name: FrontRow.own, driver: .embedded, flushInterval: $0, chunkSize: chunkSize)
        }
        if options.hasFloor {
            let numbers = options.flushIntervals.compactMap { $0 }
            entries += (numbers.isEmpty ? [0] : numbers).map {
                Entry(
                    name: FrontRow.floor, driver: .floor, flushInterval: $0, chunkSize: chunkSize)
            }
        }
        entries += options.peers.map {
            Entry(name: $0.name, driver: $0.driver, stackKeys: $0.stackKeys)
        }
        return entries
    }

    /// Runs all rounds and calls `progress` with each measurement when it is complete.
    ///
    /// - Throws: `ScenarioErrors`, `ResultsError`, or a `StackError` if a run did not work.
    package func run(
        _ progress: @Sendable (FanoutBench.Measurement) -> Void
    ) async throws -> Report {
        let fanout = options.fanout
        var report = Report(
            streams: fanout.streams, viewers: fanout.viewers,
            bitrateKilobits: fanout.bitrateKilobits, rounds: fanout.pairs)
        let forwards = entries
        for mode in fanout.modes {
            for round in stride(from: 1, through: fanout.pairs, by: 1) {
                let order: [Entry] = round % 2 == 1 ? forwards : Array(forwards.reversed())
                for entry in order {
                    let measurement = try await measure(entry, mode, round)
                    report.measurements.append(measurement)
                    progress(measurement)
                }
            }
        }
        report.rows = FrontRow.rows(of: report.measurements)
        return report
    }

    private func measure(
        _ entry: Entry, _ mode: ViewerGroup.Mode, _ round: Int
    ) async throws -> FanoutBench.Measurement {
        var fanout = options.fanout
        fanout.flushInterval = entry.flushInterval
        fanout.stackKeys = entry.stackKeys
        fanout.peerChunkSize = entry.chunkSize ?? fanout.peerChunkSize
        var measurement = try await FanoutBench(fanout).measure(entry.driver, mode, round)
        measurement.server = entry.name
        measurement.flushIntervalMilliseconds = entry.flushInterval
        return measurement
    }
}
