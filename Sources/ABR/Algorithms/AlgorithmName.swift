/// The algorithms and how they are made.
public enum AlgorithmName: Hashable, Sendable {
    case fixed(rung: Int)
    case throughput
    case bolaFinite, bolaBasic, bolaE
    case dynamic, dynamicDASH
    case bba0

    func make(_ title: Title, _ player: PlayerConfiguration) -> any ABRAlgorithm {
        let buffer = player.maximumBuffer
        return switch self {
        case .fixed(let rung): FixedRung(rung)
        case .throughput: ThroughputRule()
        case .bolaFinite: BOLA(.finite, title: title, maximumBuffer: buffer)
        case .bolaBasic: BOLA(.basic, title: title, maximumBuffer: buffer)
        case .bolaE: BOLAE(title: title, maximumBuffer: buffer)
        case .dynamic: Dynamic(title: title, maximumBuffer: buffer)
        case .dynamicDASH: DynamicDASH(title: title, maximumBuffer: buffer)
        case .bba0: BBA0(maximumBuffer: buffer)
        }
    }

    var estimator: EstimatorName { .ewma }
}

/// The throughput estimators.
public enum EstimatorName: String, CaseIterable, Hashable, Sendable {
    case ewma

    func make(_ title: Title) -> any ThroughputEstimator {
        switch self {
        case .ewma: EWMAEstimator(segmentDuration: title.segmentDuration)
        }
    }
}
