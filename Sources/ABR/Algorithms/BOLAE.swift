/// BOLA-E (Spiteri, Sitaraman, Sparacio: "From Theory to Practice: Improving Bitrate Adaptation
/// in the DASH Reference Player", MMSys 2018): BOLA with a placeholder buffer, so that it starts
/// at the throughput's rung, and with the insufficient-buffer rule; as Sabre has it.
public struct BOLAE: ABRAlgorithm {
    /// Buffer level at which the lowest rung is right (ms).
    public static let minimumBuffer = 10_000.0
    /// Further buffer that each rung asks for (ms).
    public static let minimumBufferPerRung = 2_000.0

    private let gammaP: Double
    private let controlParameter: Double
    /// 1 + ln(bitrate / lowest bitrate).
    private let utilities: [Double]
    private let pausesAtThroughput: Bool
    private var hasStarted = false
    /// Virtual buffer (ms) that stands for what the player would have held.
    private var placeholder = 0.0
    private var lastRung = 0
    private var insufficientBuffer = InsufficientBufferRule()

    public init(
        title: Title, maximumBuffer: Double,
        oscillationGuard: BOLA.OscillationGuard = .oneAbove
    ) {
        let offset = 1 - Title.logarithm(title.bitrates[0])
        utilities = title.bitrates.map { Title.logarithm($0) + offset }
        let buffer = max(
            Self.minimumBuffer + Self.minimumBufferPerRung * Double(title.rungs), maximumBuffer)
        gammaP = (utilities[title.rungs - 1] - 1) / (buffer / Self.minimumBuffer - 1)
        // A ladder of one rung has no trade-off: any finite parameter will do.
        controlParameter = gammaP > 0 ? Self.minimumBuffer / gammaP : Self.minimumBuffer
        pausesAtThroughput = oscillationGuard == .pause
    }

    public var mayAbandon: Bool { true }

    public mutating func decide(_ state: PlayerState) -> Decision {
        guard hasStarted else {
            guard state.hasEstimate else { return Decision(rung: lastRung) }
            hasStarted = true
            insufficientBuffer = InsufficientBufferRule()
            let rung = state.sustainableRung(state.throughput)
            placeholder = max(0, lowestLevel(for: rung, state.title) - state.bufferLevel)
            return Decision(rung: rung)
        }
        var rung = bestRung(state.title, level: state.bufferLevel + placeholder)
        let sustainable = state.sustainableRung(state.throughput)
        if rung > lastRung, rung > sustainable {
            rung = max(lastRung, sustainable)
            if !pausesAtThroughput { rung += 1 }
        }
        var delay = state.bufferLevel + placeholder - highestLevel(for: rung)
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
        if rung == state.title.rungs - 1 { delay = 0 }
        let limited = insufficientBuffer.limit(rung, state)
        if limited < rung {
            rung = limited
            delay = 0
            let most = max(0, lowestLevel(for: rung, state.title) - state.bufferLevel)
            placeholder = min(most, placeholder)
        }
        return Decision(rung: rung, delay: delay)
    }

    public mutating func waited(_ milliseconds: Double) { placeholder += milliseconds }

    public mutating func downloaded(_ progress: DownloadProgress, _ state: PlayerState) {
        lastRung = progress.rung
        let level = state.bufferLevel
        if let lower = progress.abandonedFor {
            // Something went wrong: down to a conservative level.
            let wanted = lower > 0 ? lowestLevel(for: lower, state.title) : Self.minimumBuffer
            placeholder = min(placeholder, max(0, wanted - level))
            return
        }
        let before = level + progress.elapsed
        placeholder = min(placeholder, max(0, highestLevel(for: progress.rung) - before))
        // While the player stalls the placeholder must not grow.
        if level > 0 {
            placeholder = max(placeholder, lowestLevel(for: progress.rung, state.title) - before)
        }
    }

    public mutating func abandon(_ progress: DownloadProgress, _ state: PlayerState) -> Int? {
        let left = progress.size - progress.downloaded
        guard progress.downloaded > 0, left > 0 else { return nil }
        // A new request pays the latency again: judge both at the moment after it.
        let level = max(0, state.bufferLevel + placeholder - progress.timeToFirstByte)
        let throughput = progress.downloaded / (progress.elapsed - progress.timeToFirstByte)
        let size = left - progress.timeToFirstByte * throughput
        guard size > 0 else { return nil }
        func score(_ rung: Int, _ size: Double) -> Double {
            (controlParameter * (gammaP + utilities[rung]) - level) / size
        }
        var best = score(progress.rung, size)
        var choice: Int?
        let bitrates = state.title.bitrates
        for rung in 0..<progress.rung {
            let otherSize = progress.size * bitrates[rung] / bitrates[progress.rung]
            // Higher rungs are larger still.
            guard otherSize < size else { break }
            let other = score(rung, otherSize)
            if other > best {
                best = other
                choice = rung
            }
        }
        return choice
    }

    public mutating func seeked(_ state: PlayerState) { hasStarted = false }

    private func bestRung(_ title: Title, level: Double) -> Int {
        var best = 0
        var bestScore = -Double.infinity
        for rung in 0..<title.rungs {
            let score =
                (controlParameter * (utilities[rung] + gammaP) - level) / title.bitrates[rung]
            if score > bestScore {
                best = rung
                bestScore = score
            }
        }
        return best
    }

    /// The level from which `rung` beats each lower one.
    private func lowestLevel(for rung: Int, _ title: Title) -> Double {
        let bitrate = title.bitrates[rung]
        let utility = utilities[rung]
        var level = 0.0
        for lower in 0..<rung {
            let b = title.bitrates[lower]
            let u = utilities[lower]
            level = max(
                level,
                controlParameter * (gammaP + (bitrate * u - b * utility) / (bitrate - b)))
        }
        return level
    }

    /// The level above which `rung` is not worth a download.
    private func highestLevel(for rung: Int) -> Double {
        controlParameter * (utilities[rung] + gammaP)
    }
}
