package import ABR
import Glibc
import Netem
import Scenario
import SimulationKernel

/// Runs the cells of a simulation, several at a time. The results do not depend on how many run at
/// a time.
package struct SimulationRun: Sendable {
    /// One combination of the matrix.
    package struct Cell: Sendable {
        package var index: Int
        package var trace: Int
        package var algorithm: Int
        package var buffer: Int
        package var title: Int
    }

    package struct Outcome: Sendable {
        package var cell: Cell
        package var sessions: [SimulatedSession]
        /// Arrivals of the viewers in milliseconds.
        package var arrivals: [Double]
        package var segments: [SegmentRecord]
    }

    package let scenario: SimulationScenario
    package let cells: [Cell]

    package init(_ scenario: SimulationScenario) {
        self.scenario = scenario
        var cells: [Cell] = []
        for title in scenario.titles.indices {
            for trace in scenario.traces.indices {
                for buffer in scenario.maximumBuffers.indices {
                    for algorithm in scenario.algorithms.indices {
                        cells.append(
                            Cell(
                                index: cells.count, trace: trace, algorithm: algorithm,
                                buffer: buffer, title: title))
                    }
                }
            }
        }
        self.cells = cells
    }

    /// Number of finished cells per thread that may wait for an earlier cell.
    private static let lookahead = 4

    /// Runs the cells and delivers their outcomes in order, one at a time.
    /// - Parameters:
    ///   - threads: Number of cells that run at the same time, at least 1.
    ///   - isCancelled: Function that is called often. Once it returns true, unfinished cells are
    ///     dropped.
    ///   - deliver: Function that gets each outcome. It is not called again after it throws.
    package func run(
        threads: Int, isCancelled: @escaping @Sendable () -> Bool = { false },
        deliver: (Outcome) throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: (Int, Outcome?).self) { group in
            var next = 0
            var running = 0
            var delivered = 0
            var waiting: [Int: Outcome] = [:]
            while delivered < cells.count {
                while running < threads, next < cells.count, !isCancelled(),
                    next < delivered + threads * Self.lookahead
                {
                    let cell = cells[next]
                    group.addTask { (cell.index, try run(cell, isCancelled: isCancelled)) }
                    next += 1
                    running += 1
                }
                guard running > 0, let (index, outcome) = try await group.next() else { break }
                running -= 1
                waiting[index] = outcome
                while let outcome = waiting.removeValue(forKey: delivered) {
                    try deliver(outcome)
                    delivered += 1
                }
            }
        }
    }

    /// Runs one cell alone.
    /// - Returns: The outcome; nil if the run was cancelled.
    package func run(
        _ cell: Cell, isCancelled: @Sendable () -> Bool = { false }
    ) throws -> Outcome? {
        let viewers = try makeViewers(cell)
        let arrivals = viewers.map(\.arrival)
        let tcp = scenario.usesTCP ? TCPModel() : nil
        if scenario.sharing == .common || scenario.origin != nil {
            let link = try scenario.traces[cell.trace].value.rateSchedule()
            let audience = SharedSimulation.Audience(
                access: scenario.sharing == .common ? .shared(link) : .each(link),
                roundTrip: Double(link.periods[0].delayNanoseconds) * 2 / 1e6)
            var run = try SharedSimulation(
                viewers.map { ($0, 0) }, audiences: [audience],
                origin: scenario.origin.map { RateSchedule(constant: $0) },
                timeline: scenario.timeline, tcp: tcp, records: scenario.writesSegments)
            guard let sessions = run.run(isCancelled: isCancelled) else { return nil }
            return Outcome(
                cell: cell, sessions: sessions, arrivals: arrivals, segments: run.segments)
        }
        var outcome = Outcome(cell: cell, sessions: [], arrivals: arrivals, segments: [])
        for (index, viewer) in viewers.enumerated() {
            if isCancelled() { return nil }
            var run = try SoloSimulation(
                viewer, index: index, timeline: scenario.timeline, tcp: tcp,
                records: scenario.writesSegments)
            outcome.sessions.append(run.run())
            outcome.segments += run.segments
        }
        return outcome
    }

    /// Each viewer draws from its own random streams, which are the same for every algorithm and
    /// buffer. Cells therefore differ only in what is compared. Viewer 0 begins at the start of the
    /// trace.
    private func makeViewers(_ cell: Cell) throws -> [SimulatedViewer] {
        let trace = scenario.traces[cell.trace]
        let whole = try trace.value.rateSchedule()
        var player = scenario.player
        player.maximumBuffer = scenario.maximumBuffers[cell.buffer]
        return try (0..<scenario.viewers).map { index in
            var random = SeededGenerator(
                seed: scenario.seed, entity: "simulation/\(trace.name)/viewer/\(index)")
            let offset = random.nextUnit()
            let arrival = random.nextUnit() * scenario.arrivalSpread
            let watch = scenario.meanWatch.map { -log(1 - random.nextUnit()) * $0 }
            let link =
                index == 0 || scenario.sharing == .common
                ? whole
                : try trace.value.rateSchedule(
                    startOffsetNanoseconds: Int64(offset * Double(whole.cycleNanoseconds)))
            var viewer = SimulatedViewer(
                title: scenario.titles[cell.title], player: player,
                algorithm: scenario.algorithms[cell.algorithm], link: link)
            viewer.arrival = arrival
            let longest = scenario.timeline == nil ? Double.infinity : scenario.liveDuration
            viewer.watchTime = min(watch ?? .infinity, longest)
            return viewer
        }
    }
}
