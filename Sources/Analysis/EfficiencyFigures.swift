import Results
import Scenario
import SimulationKernel
import Viewer

/// What the server's CPU time carried in the steady window. Servers and edges count together, for
/// they deliver together; encoders do not count.
struct EfficiencyFigures {
    let record: TrialRecord

    /// The figures; nil if no CPU time of the server is known.
    var figures: ServerEfficiency? {
        guard let cores else { return nil }
        var figures = ServerEfficiency()
        figures.serverCores = cores
        let rate = deliveredBits / record.windowSeconds / 1e9
        let viewers = playingSeconds / record.windowSeconds
        figures.deliveredGigabitsPerSecond = Self.finite(rate)
        figures.playingViewers = Self.finite(viewers)
        if rate > 0 { figures.cpuSecondsPerGigabit = Self.finite(cores / rate) }
        if cores > 0 {
            figures.viewersPerCore = Self.finite(viewers / cores)
            figures.streamsPerCore = Self.finite(
                Double(record.plan.publishers.count(where: \.isPublished)) / cores)
        }
        return figures
    }

    private static func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }

    /// Mean number of cores that server and edges used; nil if it is not known.
    private var cores: Double? {
        guard record.windowSeconds > 0 else { return nil }
        let roles = (record.usage?.roleUsage ?? []).filter { ["server", "edge"].contains($0.role) }
        guard roles.contains(where: { $0.role == "server" }) else { return nil }
        let cores = roles.reduce(0.0) { $0 + $1.cpuPercent / 100 }
        return cores.isFinite && cores >= 0 ? cores : nil
    }

    /// Payload that all viewers received in the window, in bits: audio and video messages, and
    /// bodies of segments and parts.
    private var deliveredBits: Double {
        let load = record.load.reduce(0.0) { $0 + Double($1.window.payloadBytes) }
        let probes = record.probes.reduce(0.0) { $0 + Double($1.window.payloadBytes) }
        let adaptive = record.hls.reduce(0.0) { $0 + Double($1.windowMediaBytes) }
        return (load + probes + adaptive) * 8
    }

    /// Time that all viewers played in the window, added up.
    private var playingSeconds: Double {
        let window = record.window
        let adaptive = record.hls.reduce(0.0) { sum, report -> Double in
            guard let asked = report.askedAtNanoseconds, let startup = report.startupNanoseconds
            else { return sum }
            let from = max(asked + startup, window.startNanoseconds)
            let to = min(report.endedAtNanoseconds ?? .max, window.endNanoseconds)
            return sum + (to > from ? Double(to - from) / 1e9 : 0)
        }
        let load = record.load.reduce(0.0) {
            $0 + ViewerSession($1, record.plan).seconds(in: window)
        }
        let probes = record.probes.reduce(0.0) {
            $0 + ViewerSession($1, record.plan).seconds(in: window)
        }
        return adaptive + load + probes
    }

    var samples: [MetricSample] {
        guard let figures else { return [] }
        return [
            (Metric.cpuSecondsPerGigabit, figures.cpuSecondsPerGigabit),
            (.viewersPerCore, figures.viewersPerCore),
        ].compactMap { metric, value in
            value.map { MetricSample(metric: metric, value: .number($0)) }
        }
    }
}
