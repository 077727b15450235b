/// BOLA-BASIC and BOLA-FINITE (Spiteri, Urgaonkar, Sitaraman: "BOLA: Near-Optimal Bitrate
/// Adaptation for Online Videos", INFOCOM 2016), with the paper's two guards against oscillation.
public struct BOLA: ABRAlgorithm {
    public enum Variant: Hashable, Sendable {
        /// One control parameter for the whole title.
        case basic
        /// The buffer target ramps up at the start and down at the end of the title.
        case finite
    }

    /// Behaviour if the buffer asks for more than the throughput sustains.
    public enum OscillationGuard: Hashable, Sendable {
        /// BOLA-O: the player takes the sustainable rendition and pauses.
        case pause
        /// BOLA-U: the player takes one rendition above the sustainable one.
        case oneAbove
    }

    /// The paper's (gamma p), in segments.
    public static var gammaP: Double { QoEMetrics.gammaP }

    public let variant: Variant
    public let oscillationGuard: OscillationGuard
    private var controlParameter: Double
    private var lastRendition = 0
    private var lastSeek = 0

    public init(
        _ variant: Variant, title: Title, maximumBuffer: Double,
        oscillationGuard: OscillationGuard = .oneAbove
    ) {
        self.variant = variant
        self.oscillationGuard = oscillationGuard
        controlParameter =
            (maximumBuffer - title.segmentDuration)
            / (title.utilities[title.renditionCount - 1] + Self.gammaP)
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
                / (title.utilities[title.renditionCount - 1] + Self.gammaP)
        }
        var decision = Decision(rendition: bestRendition(title, level: state.bufferLevel))
        if decision.rendition > lastRendition, state.hasEstimate {
            let sustainable = state.sustainableRendition(state.throughput)
            if decision.rendition > sustainable {
                if lastRendition > sustainable {
                    decision.rendition = lastRendition
                } else {
                    decision = guarded(sustainable, state)
                }
            }
        }
        lastRendition = decision.rendition
        return decision
    }

    private func guarded(_ sustainable: Int, _ state: PlayerState) -> Decision {
        if oscillationGuard == .oneAbove { return Decision(rendition: sustainable + 1) }
        let level = controlParameter * (Self.gammaP + state.title.utilities[sustainable])
        let isTop = sustainable == state.title.renditionCount - 1
        return Decision(
            rendition: sustainable, delay: isTop ? 0 : max(0, state.bufferLevel - level))
    }

    private func bestRendition(_ title: Title, level: Double) -> Int {
        var best = 0
        var bestScore = -Double.infinity
        for rendition in 0..<title.renditionCount {
            let score =
                (controlParameter * (title.utilities[rendition] + Self.gammaP) - level)
                / title.bitrates[rendition]
            if score > bestScore {
                best = rendition
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
        func score(_ rendition: Int, _ size: Double) -> Double {
            (controlParameter * (Self.gammaP + title.utilities[rendition]) - state.bufferLevel)
                / size
        }
        var best = score(progress.rendition, left)
        guard best >= 0 else { return nil }
        var choice: Int?
        for rendition in 0..<progress.rendition {
            let size =
                progress.size * title.bitrates[rendition] / title.bitrates[progress.rendition]
            // Higher renditions are larger, so they need no test.
            guard size < left else { break }
            let other = score(rendition, size)
            if other > best {
                best = other
                choice = rendition
            }
        }
        if let choice { lastRendition = choice }
        return choice
    }

    public mutating func seeked(_ state: PlayerState) { lastSeek = state.segment }
}
