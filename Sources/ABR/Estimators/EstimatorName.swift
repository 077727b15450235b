/// The throughput estimators.
public enum EstimatorName: String, CaseIterable, Hashable, Sendable {
    case ewma
    case ewmaDashJS = "ewma-dashjs"
    case ewmaHLSJS = "ewma-hlsjs"
    case ewmaShaka = "ewma-shaka"
    case sliding
    case harmonic
    case weightedMedian = "weighted-median"

    func make(_ title: Title) -> any ThroughputEstimator {
        switch self {
        case .ewma: EWMAEstimator(segmentDuration: title.segmentDuration)
        case .ewmaDashJS: DashJSEstimator()
        case .ewmaHLSJS: HLSJSEstimator()
        case .ewmaShaka: ShakaEstimator()
        case .sliding: SlidingMeanEstimator()
        case .harmonic: HarmonicMeanEstimator()
        case .weightedMedian: WeightedMedianEstimator()
        }
    }
}

extension EstimatorName: CustomStringConvertible {
    public static var allNames: [String] { allCases.map(\.rawValue) }

    public init?(parsing text: String) { self.init(rawValue: text) }

    public var description: String { rawValue }

    /// One line on how the estimator works and who published it.
    public var summary: String {
        switch self {
        case .ewma: "The lower of two moving averages, half-lives 3 s and 8 s of transfer (Sabre)."
        case .ewmaDashJS: "The same with weights of 1.5 times the transfer time (dash.js)."
        case .ewmaHLSJS: "The lower of two moving averages, half-lives 3 s and 9 s (hls.js)."
        case .ewmaShaka: "The same with 2 s and 5 s, without small segments (Shaka Player)."
        case .sliding: "Mean of the last four samples, more where they vary (dash.js)."
        case .harmonic: "Harmonic mean of the last five samples (Yin et al., SIGCOMM 2015)."
        case .weightedMedian: "Median weighted by the square root of the size (media3)."
        }
    }
}
