/// The algorithms, and how to make them.
public enum AlgorithmName: Hashable, Sendable {
    case fixed(rendition: Int)
    case throughput
    case bolaFinite, bolaBasic, bolaE
    case dynamic, dynamicDASH
    case bba0, bba1, bba2
    case mpc, robustMPC
    case l2aLL, lolPlus
    case hlsJS, media3
    case soda

    /// Every algorithm once, in historical order; `fixed` stays on rendition 0.
    public static let all: [AlgorithmName] = [
        .fixed(rendition: 0), .throughput, .bolaFinite, .bolaBasic, .bolaE, .dynamic, .dynamicDASH,
        .bba0, .bba1, .bba2, .mpc, .robustMPC, .l2aLL, .lolPlus, .hlsJS, .media3, .soda,
    ]

    /// - Parameter buffer: Largest amount of media in the player's buffer (ms).
    func make(_ title: Title, maximumBuffer buffer: Double) -> any ABRAlgorithm {
        switch self {
        case .fixed(let rendition): FixedRendition(rendition)
        case .throughput: ThroughputRule()
        case .bolaFinite: BOLA(.finite, title: title, maximumBuffer: buffer)
        case .bolaBasic: BOLA(.basic, title: title, maximumBuffer: buffer)
        case .bolaE: BOLAE(title: title, maximumBuffer: buffer)
        case .dynamic: Dynamic(title: title, maximumBuffer: buffer)
        case .dynamicDASH: DynamicDASH(title: title, maximumBuffer: buffer)
        case .bba0: BBA0(title: title, maximumBuffer: buffer)
        case .bba1: BBA1(title: title, maximumBuffer: buffer)
        case .bba2: BBA2(title: title, maximumBuffer: buffer)
        case .mpc: MPC(.plain)
        case .robustMPC: MPC(.robust)
        case .l2aLL: L2ALL(title: title)
        case .lolPlus: LoLPlus(title: title)
        case .hlsJS: HLSJSRule()
        case .media3: Media3Rule()
        case .soda: SODA(title: title, maximumBuffer: buffer)
        }
    }

    /// The estimator with which the algorithm was published or is shipped.
    public var estimator: EstimatorName {
        switch self {
        case .fixed, .throughput, .bolaFinite, .bolaBasic, .bolaE, .dynamic, .dynamicDASH, .bba0,
            .bba1, .bba2:
            .ewma
        case .mpc, .robustMPC: .harmonic
        case .l2aLL, .lolPlus, .soda: .ewmaDashJS
        case .hlsJS: .ewmaHLSJS
        case .media3: .weightedMedian
        }
    }
}

extension AlgorithmName: CustomStringConvertible {
    /// Names that `init(parsing:)` accepts; it accepts any rendition for `fixed`.
    public static var allNames: [String] { all.map(\.description) }

    /// - Parameter text: a name of `allNames`, or `fixed:` and a rendition from 0 to 254.
    public init?(parsing text: String) {
        if text.hasPrefix("fixed:") {
            guard let rendition = Int(text.dropFirst(6)), (0..<255).contains(rendition) else {
                return nil
            }
            self = .fixed(rendition: rendition)
            return
        }
        guard let found = Self.all.first(where: { $0.description == text }) else { return nil }
        self = found
    }

    public var description: String {
        switch self {
        case .fixed(let rendition): "fixed:\(rendition)"
        case .throughput: "throughput"
        case .bolaFinite: "bola-finite"
        case .bolaBasic: "bola-basic"
        case .bolaE: "bola-e"
        case .dynamic: "dynamic"
        case .dynamicDASH: "dynamic-dash"
        case .bba0: "bba-0"
        case .bba1: "bba-1"
        case .bba2: "bba-2"
        case .mpc: "mpc"
        case .robustMPC: "robust-mpc"
        case .l2aLL: "l2a-ll"
        case .lolPlus: "lol-plus"
        case .hlsJS: "hls-js"
        case .media3: "media3"
        case .soda: "soda"
        }
    }

    /// One line on how the algorithm works and who published it.
    public var summary: String {
        switch self {
        case .fixed:
            "One rendition for ever (fixed:N): what a player without adaptation does."
        case .throughput:
            "The highest rendition below 90 % of the estimated throughput (Spiteri et al., MMSys 2018)."
        case .bolaFinite:
            "Buffer level traded against utility, with a target that ramps up and down "
                + "(Spiteri et al., INFOCOM 2016)."
        case .bolaBasic:
            "Buffer level traded against utility by Lyapunov optimisation "
                + "(Spiteri et al., INFOCOM 2016)."
        case .bolaE:
            "BOLA with a placeholder buffer, so that it starts at the throughput's rendition "
                + "(Spiteri et al., MMSys 2018)."
        case .dynamic:
            "The throughput rule at low buffer, BOLA above 10 s (Spiteri et al., MMSys 2018)."
        case .dynamicDASH:
            "The throughput rule below 5 s of buffer, BOLA-E above 10 s, as dash.js had it "
                + "(Spiteri et al., MMSys 2018)."
        case .bba0:
            "The buffer level alone mapped to a bit rate (Huang et al., SIGCOMM 2014)."
        case .bba1:
            "The buffer level mapped to a segment size, with a reservoir for what is ahead "
                + "(Huang et al., SIGCOMM 2014)."
        case .bba2:
            "BBA-1 that climbs at the start while downloads are fast (Huang et al., SIGCOMM 2014)."
        case .mpc:
            "The best plan for the next five segments at the predicted throughput "
                + "(Yin et al., SIGCOMM 2015)."
        case .robustMPC:
            "MPC with the prediction lowered by its recent errors (Yin et al., SIGCOMM 2015)."
        case .l2aLL:
            "Online learning of a distribution over renditions, for low latency "
                + "(Karagkioules et al., MMSys 2020)."
        case .lolPlus:
            "A self-organising map of renditions with weights chosen by QoE, for low latency "
                + "(Bentaleb et al., IEEE TMM 2021)."
        case .hlsJS:
            "hls.js's default: the highest rendition whose segment comes before the buffer is empty."
        case .media3:
            "media3's (ExoPlayer's) default: 70 % of the estimate, up only with 10 s of buffer."
        case .soda:
            "Monotone plans that hold the buffer near a target and switch little "
                + "(Chen et al., SIGCOMM 2024)."
        }
    }
}
