import ABR
import Netem
import Scenario
import SimulationKernel

extension ValueKind {
    static func milliseconds(zero: Bool = false) -> ValueKind<Double> {
        quantity(.duration, zero: zero).map({ $0 / 1e6 }, back: { $0 * 1e6 })
    }

    /// A bit rate in kbit/s.
    static var kilobits: ValueKind<Double> {
        quantity(.bitrate).map({ $0 / 1000 }, back: { $0 * 1000 })
    }

    static var algorithm: ValueKind<AlgorithmName> {
        text(.nonEmpty).reading(
            { text, _ in
                if let name = AlgorithmName(parsing: text) { return name }
                let names = AlgorithmName.allNames
                let nearest = NameDistance.nearest(to: text, among: names)
                throw InputFault(
                    message: "unknown algorithm '\(text)'; "
                        + (nearest.map { "did you mean '\($0)'?" }
                            ?? "algorithms: \(names.joined(separator: ", "))"))
            }, back: \.description)
    }

    /// Rates, profiles, trace files and folders of trace files in one list.
    static var traces: ValueKind<[NamedInput<LinkTrace>]> {
        list(
            text(.nonEmpty).reading { text, reader in
                try TraceInput.traces(named: text, seed: reader.seed, folder: reader.folder).map {
                    try TraceInput.refuseLoss($0)
                    return $0
                }
            }
        ).map { $0.flatMap(\.self) }
    }
}

/// Length of a title and shape of its segments.
struct TitleShape: Sendable {
    /// Duration of a segment in milliseconds.
    var segmentDuration = 4000.0
    /// Duration of the title in milliseconds.
    var duration: Double
    /// Variation of the segment sizes; 0 is CBR.
    var variation: Double

    var segmentCount: Int { max(1, Int((duration / segmentDuration).rounded(.up))) }
}
