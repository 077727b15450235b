import Scenario
package import ABR
import Glibc
import Netem
import SimulationKernel

/// Runs the cells of a simulation, some at a time; what comes out does not depend on how many.
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
        /// ms
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

    /// Cells that may be finished and wait for an earlier one, per thread.
    private static let lookahead = 4

    /// Runs the cells; their outcomes are delivered in order, one at a time.
    /// - Parameters:
    ///   - threads: cells at a time, >= 1.
    ///   - isCancelled: asked often; once true, cells that are not finished are dropped.
    ///   - deliver: gets each outcome; not called again after it throws.
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

    /// One cell, alone.
    /// - Returns: nil where it was cancelled.
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

    /// Viewers draw from streams of their own, the same for every algorithm and buffer: cells
    /// differ in what is compared and in nothing else. Viewer 0 starts where the trace does.
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
