public import ABR
import Glibc
import Netem
import SimulationKernel

/// Runs the cells of a simulation, some at a time; what comes out does not depend on how many.
public struct SimulationRun: Sendable {
    /// One combination of the matrix.
    public struct Cell: Sendable {
        public var index: Int
        public var trace: Int
        public var algorithm: Int
        public var buffer: Int
        public var title: Int
    }

    public struct Outcome: Sendable {
        public var cell: Cell
        public var sessions: [SimulatedSession]
        /// ms
        public var arrivals: [Double]
        public var segments: [SegmentRecord]
    }

    public let scenario: SimulationScenario
    public let cells: [Cell]

    public init(_ scenario: SimulationScenario) {
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

    /// - Parameters:
    ///   - threads: cells at a time, >= 1.
    ///   - progress: called with the number of cells done, from any thread.
    /// - Returns: outcomes in the order of the cells; of the cells finished where the task was
    ///   cancelled.
    public func run(
        threads: Int, progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws -> [Outcome] {
        let done = try await withThrowingTaskGroup(of: Outcome.self) { group in
            var next = 0
            var done: [Outcome] = []
            while next < cells.count || !group.isEmpty {
                while next < cells.count, next - done.count < threads, !Task.isCancelled {
                    let cell = cells[next]
                    group.addTask { try self.run(cell) }
                    next += 1
                }
                guard let outcome = try await group.next() else { break }
                done.append(outcome)
                progress(done.count)
            }
            return done
        }
        return done.sorted { $0.cell.index < $1.cell.index }
    }

    /// One cell, alone.
    public func run(_ cell: Cell) throws -> Outcome {
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
            return Outcome(
                cell: cell, sessions: run.run(), arrivals: arrivals, segments: run.segments)
        }
        var outcome = Outcome(cell: cell, sessions: [], arrivals: arrivals, segments: [])
        for (index, viewer) in viewers.enumerated() {
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
            let watch = scenario.meanWatch.map { -Self.logarithm(1 - random.nextUnit()) * $0 }
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

extension SimulationRun {
    private static func logarithm(_ x: Double) -> Double { Glibc.log(x) }
}
