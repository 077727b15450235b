// How other simulators are reproduced.
//
// `SabreSession` and `PensieveSession` have the loops and the defects of those programs, and the
// algorithms of this module. Floating-point operations keep the order of the originals, and `pow`
// is kept from becoming `exp2`, because the last bit counts.

/// Sabre's player, with its defects. It reproduces Sabre's output to the last digit.
///
/// The adaptation algorithms are those of this module; only the loop, the network and the
/// bookkeeping are Sabre's. The defect of `.compat` is that the rendition is decided anew after a
/// download was abandoned; the rendition that abandonment chose is ignored.
public struct SabreSession {
    public enum Variant: String, CaseIterable, Sendable {
        case compat
        case noAbandon = "no-abandon"
        /// The rendition that abandonment chose is requested.
        case abandonFixed = "abandon-fixed"
    }

    public enum Algorithm: String, CaseIterable, Sendable {
        case bola
        case bolaBasic = "bola-basic"
        case bolae
        case dynamic
        case throughput
        case dynamicDASH = "dynamicdash"

        func make(_ title: Title, maximumBuffer: Double) -> any ABRAlgorithm {
            switch self {
            case .bola: BOLA(.finite, title: title, maximumBuffer: maximumBuffer)
            case .bolaBasic: BOLA(.basic, title: title, maximumBuffer: maximumBuffer)
            case .bolae: BOLAE(title: title, maximumBuffer: maximumBuffer)
            case .dynamic: Dynamic(title: title, maximumBuffer: maximumBuffer)
            case .throughput: ThroughputRule()
            case .dynamicDASH: DynamicDASH(title: title, maximumBuffer: maximumBuffer)
            }
        }
    }

    private let title: Title
    private let maximumBuffer: Double
    private let variant: Variant
    private var algorithm: any ABRAlgorithm
    private var network: SabreNetwork
    private var estimator: EWMAEstimator
    private var playback: SabrePlayback
    private var state: PlayerState
    private var estimates = SabreEstimateError()
    private(set) var startupTime = 0.0
    /// Number of segment requests that were decided.
    public private(set) var decisions = 0

    /// - Parameter maximumBuffer: largest amount of media in the buffer (ms), at least one segment.
    public init(
        title: Title, trace: [SabrePeriod], maximumBuffer: Double, algorithm: Algorithm,
        variant: Variant
    ) {
        precondition(maximumBuffer > title.segmentDuration, "a buffer holds more than a segment")
        precondition(trace.contains { $0.bandwidth > 0 }, "a trace carries something")
        self.title = title
        self.maximumBuffer = maximumBuffer
        self.variant = variant
        self.algorithm = algorithm.make(title, maximumBuffer: maximumBuffer)
        network = SabreNetwork(trace: trace, title: title)
        estimator = EWMAEstimator(segmentDuration: title.segmentDuration)
        playback = SabrePlayback(title: title, maximumBuffer: maximumBuffer)
        state = PlayerState(title: title, maximumBuffer: maximumBuffer)
    }

    /// Plays the title to its end.
    public mutating func run() -> SabreMetrics {
        downloadFirst()
        var segment = 1
        var abandonedFor: Int?
        while segment < title.segmentCount {
            waitForRoom()
            state.segment = segment
            var decision: Decision
            if let rendition = abandonedFor {
                decision = Decision(rendition: rendition)
                abandonedFor = nil
            } else {
                update()
                decision = algorithm.decide(state)
                decisions += 1
            }
            if decision.delay > 0 {
                deplete(decision.delay)
                network.wait(decision.delay)
                noteNetwork()
            }
            let progress = download(segment, decision.rendition)
            deplete(progress.elapsed)
            if progress.abandonedFor == nil {
                playback.append(decision.rendition)
                segment += 1
            } else if variant == .abandonFixed {
                abandonedFor = progress.abandonedFor
            }
            update()
            algorithm.downloaded(progress, state)
            let transferTime = progress.elapsed - progress.timeToFirstByte
            estimates.add(
                estimate: estimator.throughput, measured: progress.downloaded / transferTime)
            if progress.abandonedFor == nil {
                estimator.add(
                    bits: progress.downloaded, transferTime: transferTime,
                    timeToFirstByte: progress.timeToFirstByte)
            }
        }
        playback.playOut(network.sustainableRendition)
        return SabreMetrics(
            title: title, maximumBuffer: maximumBuffer, playback: playback, estimates: estimates)
    }

    private mutating func downloadFirst() {
        let size = title.size(segment: 0, rendition: 0)
        let latency = network.requestLatency()
        let elapsed = latency + network.download(size)
        noteNetwork()
        decisions += 1
        playback.append(0)
        estimator.add(bits: size, transferTime: elapsed - latency, timeToFirstByte: latency)
        startupTime = elapsed - latency
        playback.totalTime += elapsed
    }

    private mutating func waitForRoom() {
        let delay = playback.level + title.segmentDuration - maximumBuffer
        guard delay > 0 else { return }
        deplete(delay)
        network.wait(delay)
        noteNetwork()
        algorithm.waited(delay)
    }

    private mutating func update() {
        state.bufferLevel = playback.level
        state.throughput = estimator.throughput
        state.latency = estimator.latency
    }

    private mutating func deplete(_ milliseconds: Double) {
        playback.play(milliseconds, sustainableRendition: network.sustainableRendition)
    }

    /// Notes a change of the network. Sabre records the change when it happens, which is before the
    /// buffer of the same download is played.
    private mutating func noteNetwork() {
        for change in network.takeChanges() {
            playback.networkChanged(change.rendition, previous: change.previous, time: change.time)
        }
    }

    private mutating func download(_ segment: Int, _ rendition: Int) -> DownloadProgress {
        let size = title.size(segment: segment, rendition: rendition)
        let level = playback.level
        let latency = network.requestLatency()
        var progress = DownloadProgress(
            segment: segment, rendition: rendition, size: size, downloaded: 0, elapsed: latency,
            timeToFirstByte: latency)
        if variant == .noAbandon {
            progress.elapsed = latency + network.download(size)
            progress.downloaded = size
            noteNetwork()
            return progress
        }
        var minimumTime = SabreNetwork.minimumProgressTime - latency
        while progress.downloaded < size, progress.abandonedFor == nil {
            let step = network.downloadSome(
                size - progress.downloaded, minimumSize: SabreNetwork.minimumProgressSize,
                minimumTime: minimumTime)
            progress.elapsed += step.time
            progress.downloaded += step.bits
            if progress.downloaded < size {
                state.bufferLevel = max(0, level - progress.elapsed)
                state.throughput = estimator.throughput
                state.latency = estimator.latency
                progress.abandonedFor = algorithm.abandon(progress, state)
            }
            minimumTime = SabreNetwork.minimumProgressTime
        }
        noteNetwork()
        return progress
    }
}
