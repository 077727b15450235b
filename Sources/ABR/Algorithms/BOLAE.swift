/// BOLA-E (Spiteri, Sitaraman, Sparacio: "From Theory to Practice: Improving Bitrate Adaptation
/// in the DASH Reference Player", MMSys 2018): BOLA with a placeholder buffer, so that it starts
/// at the throughput's rendition, and with the insufficient-buffer rule, as in Sabre.
public struct BOLAE: ABRAlgorithm {
    /// Buffer level at which the lowest rendition is chosen (ms).
    public static let minimumBuffer = 10_000.0
    /// Additional buffer for each rendition (ms).
    public static let minimumBufferPerRendition = 2_000.0

    private let gammaP: Double
    private let controlParameter: Double
    /// 1 + ln(bitrate / lowest bitrate) of each rendition.
    private let utilities: [Double]
    private let pausesAtThroughput: Bool
    private var hasStarted = false
    /// Virtual buffer (ms) that represents the media that the player would have held.
    private var placeholder = 0.0
    private var lastRendition = 0
    private var insufficientBuffer = InsufficientBufferRule()

    public init(
        title: Title, maximumBuffer: Double,
        oscillationGuard: BOLA.OscillationGuard = .oneAbove
    ) {
        let offset = 1 - Title.logarithm(title.bitrates[0])
        utilities = title.bitrates.map { Title.logarithm($0) + offset }
        let buffer = max(
            Self.minimumBuffer + Self.minimumBufferPerRendition * Double(title.renditionCount),
            maximumBuffer)
        gammaP = (utilities[title.renditionCount - 1] - 1) / (buffer / Self.minimumBuffer - 1)
        // A ladder of one rendition has no trade-off, so any finite parameter is valid.
        controlParameter = gammaP > 0 ? Self.minimumBuffer / gammaP : Self.minimumBuffer
        pausesAtThroughput = oscillationGuard == .pause
    }

    public var mayAbandon: Bool { true }

    public mutating func decide(_ state: PlayerState) -> Decision {
        guard hasStarted else {
            guard state.hasEstimate else { return Decision(rendition: lastRendition) }
            hasStarted = true
            insufficientBuffer = InsufficientBufferRule()
            let rendition = state.sustainableRendition(state.throughput)
            placeholder = max(0, lowestLevel(for: rendition, state.title) - state.bufferLevel)
            return Decision(rendition: rendition)
        }
        var rendition = bestRendition(state.title, level: state.bufferLevel + placeholder)
        let sustainable = state.sustainableRendition(state.throughput)
        if rendition > lastRendition, rendition > sustainable {
            rendition = max(lastRendition, sustainable)
            if !pausesAtThroughput { rendition += 1 }
        }
        var delay = state.bufferLevel + placeholder - highestLevel(for: rendition)
        if delay > 0 {
            if delay <= placeholder {
                placeholder -= delay
                delay = 0
            } else {
                delay -= placeholder
                placeholder = 0
            }
        } else {
            delay = 0
        }
        if rendition == state.title.renditionCount - 1 { delay = 0 }
        let limited = insufficientBuffer.limit(rendition, state)
        if limited < rendition {
            rendition = limited
            delay = 0
            let most = max(0, lowestLevel(for: rendition, state.title) - state.bufferLevel)
            placeholder = min(most, placeholder)
        }
        return Decision(rendition: rendition, delay: delay)
    }

    public mutating func waited(_ milliseconds: Double) { placeholder += milliseconds }

    public mutating func downloaded(_ progress: DownloadProgress, _ state: PlayerState) {
        lastRendition = progress.rendition
        let level = state.bufferLevel
        if let lower = progress.abandonedFor {
            // After a download was given up, the level falls to a conservative value.
            let wanted = lower > 0 ? lowestLevel(for: lower, state.title) : Self.minimumBuffer
            placeholder = min(placeholder, max(0, wanted - level))
            return
        }
        let before = level + progress.elapsed
        placeholder = min(placeholder, max(0, highestLevel(for: progress.rendition) - before))
        // While the player stalls the placeholder must not grow.
        if level > 0 {
            placeholder = max(
                placeholder, lowestLevel(for: progress.rendition, state.title) - before)
        }
    }

    public mutating func abandon(_ progress: DownloadProgress, _ state: PlayerState) -> Int? {
        let left = progress.size - progress.downloaded
        guard progress.downloaded > 0, left > 0 else { return nil }
        // A new request pays the latency again, so both are judged at the time after the latency.
        let level = max(0, state.bufferLevel + placeholder - progress.timeToFirstByte)
        let throughput = progress.downloaded / (progress.elapsed - progress.timeToFirstByte)
        let size = left - progress.timeToFirstByte * throughput
        guard size > 0 else { return nil }
        func score(_ rendition: Int, _ size: Double) -> Double {
            (controlParameter * (gammaP + utilities[rendition]) - level) / size
        }
        var best = score(progress.rendition, size)
        var choice: Int?
        let bitrates = state.title.bitrates
        for rendition in 0..<progress.rendition {
            let otherSize = progress.size * bitrates[rendition] / bitrates[progress.rendition]
            // Higher renditions are larger, so they need no test.
            guard otherSize < size else { break }
            let other = score(rendition, otherSize)
            if other > best {
                best = other
                choice = rendition
            }
        }
        return choice
    }

    public mutating func seeked(_ state: PlayerState) { hasStarted = false }

    private func bestRendition(_ title: Title, level: Double) -> Int {
        var best = 0
        var bestScore = -Double.infinity
        for rendition in 0..<title.renditionCount {
            let score =
                (controlParameter * (utilities[rendition] + gammaP) - level)
                / title.bitrates[rendition]
            if score > bestScore {
                best = rendition
                bestScore = score
            }
        }
        return best
    }

    /// Returns the level from which on `rendition` scores better than each lower one.
    private func lowestLevel(for rendition: Int, _ title: Title) -> Double {
        let bitrate = title.bitrates[rendition]
        let utility = utilities[rendition]
        var level = 0.0
        for lower in 0..<rendition {
            let b = title.bitrates[lower]
            let u = utilities[lower]
            level = max(
                level,
                controlParameter * (gammaP + (bitrate * u - b * utility) / (bitrate - b)))
        }
        return level
    }

    /// Returns the level above which `rendition` is not worth a download.
    private func highestLevel(for rendition: Int) -> Double {
        controlParameter * (utilities[rendition] + gammaP)
    }
}
