/// BOLA-BASIC and BOLA-FINITE (Spiteri, Urgaonkar, Sitaraman: "BOLA: Near-Optimal Bitrate
/// Adaptation for Online Videos", INFOCOM 2016), with the paper's two guards against oscillation.
public struct BOLA: ABRAlgorithm {
    public enum Variant: Hashable, Sendable {
        /// One control parameter for the whole title.
        case basic
        /// The buffer target ramps up at the start and down at the end of the title.
        case finite
    }

    /// What to do where the buffer asks for more than the throughput sustains.
    public enum OscillationGuard: Hashable, Sendable {
        /// BOLA-O: the sustainable rung, and a pause.
        case pause
        /// BOLA-U: one rung above the sustainable one.
        case oneAbove
    }

    /// This is (gamma p) of the paper, in segments.
    public static var gammaP: Double { QoEMetrics.gammaP }

    public let variant: Variant
    public let oscillationGuard: OscillationGuard
    private var controlParameter: Double
    private var lastRung = 0
    private var lastSeek = 0

    public init(
        _ variant: Variant, title: Title, maximumBuffer: Double,
        oscillationGuard: OscillationGuard = .oneAbove
    ) {
        self.variant = variant
        self.oscillationGuard = oscillationGuard
        controlParameter =
            (maximumBuffer - title.segmentDuration)
            / (title.utilities[title.rungs - 1] + Self.gammaP)
    }

    public var mayAbandon: Bool { variant == .finite }

    public mutating func decide(_ state: PlayerState) -> Decision {
        let title = state.title
        if variant == .finite {
            let sinceSeek = state.segment - lastSeek
            let nearest =
                state.isLive ? sinceSeek : min(sinceSeek, title.segmentCount - state.segment)
            let target = max(Double(nearest) / 2, 3) * title.segmentDuration
            controlParameter =
                (min(state.maximumBuffer, target) - title.segmentDuration)
                / (title.utilities[title.rungs - 1] + Self.gammaP)
        }
        var decision = Decision(rung: bestRung(title, level: state.bufferLevel))
        if decision.rung > lastRung, state.hasEstimate {
            let sustainable = state.sustainableRung(state.throughput)
            if decision.rung > sustainable {
                if lastRung > sustainable {
                    decision.rung = lastRung
                } else {
                    decision = guarded(sustainable, state)
                }
            }
        }
        lastRung = decision.rung
        return decision
    }

    private func guarded(_ sustainable: Int, _ state: PlayerState) -> Decision {
        if oscillationGuard == .oneAbove { return Decision(rung: sustainable + 1) }
        let level = controlParameter * (Self.gammaP + state.title.utilities[sustainable])
        let isTop = sustainable == state.title.rungs - 1
        return Decision(
            rung: sustainable, delay: isTop ? 0 : max(0, state.bufferLevel - level))
    }

    private func bestRung(_ title: Title, level: Double) -> Int {
        var best = 0
        var bestScore = -Double.infinity
        for rung in 0..<title.rungs {
            let score =
                (controlParameter * (title.utilities[rung] + Self.gammaP) - level)
                / title.bitrates[rung]
            if score > bestScore {
                best = rung
                bestScore = score
            }
        }
        return best
    }

    public mutating func abandon(_ progress: DownloadProgress, _ state: PlayerState) -> Int? {
        guard variant == .finite else { return nil }
        let title = state.title
        let left = progress.size - progress.downloaded
        guard progress.downloaded > 0, left > 0 else { return nil }
        func score(_ rung: Int, _ size: Double) -> Double {
            (controlParameter * (Self.gammaP + title.utilities[rung]) - state.bufferLevel) / size
        }
        var best = score(progress.rung, left)
        guard best >= 0 else { return nil }
        var choice: Int?
        for rung in 0..<progress.rung {
            let size = progress.size * title.bitrates[rung] / title.bitrates[progress.rung]
            // Higher rungs are larger still.
            guard size < left else { break }
            let other = score(rung, size)
            if other > best {
                best = other
                choice = rung
            }
        }
        if let choice { lastRung = choice }
        return choice
    }

    public mutating func seeked(_ state: PlayerState) { lastSeek = state.segment }
}
