/// LoL+ (Bentaleb, Akcay, Lim, Begen, Zimmermann: "Catching the Moment with LoL+ in Twitch-Like
/// Low-Latency Live Streaming Platforms", IEEE TMM 2021): a self-organising map with a neuron per
/// rendition. The neuron nearest to the wanted state determines the rendition; the weights of the
/// distance are chosen for the best QoE of the next segment.
///
/// The published code draws its first weights from k-means++ centres of random points; here they
/// are fixed, so that a session can be reproduced.
public struct LoLPlus: ABRAlgorithm {
    /// The possible values of a weight.
    static let weightChoices = [0.2, 0.4, 0.6, 0.8, 1]
    /// Value of each weight until a choice is possible.
    public static let initialWeight = 0.4
    /// Buffer level that must be left (ms).
    public static let minimumBuffer = 300.0
    /// Latency up to which weights are chosen (ms); the player's target is used if it is larger.
    public static let latencyLimit = 1500.0
    /// Headroom below the estimate (kbit/s).
    public static let headroom = 10.0
    /// Weight of the throughput if a rendition is too high.
    public static let downshiftWeight = 100.0
    /// Number of ms of latency that equal 1 in the map.
    public static let latencyScale = 100_000.0
    public static let learningRate = 0.01
    /// Width of the neighbourhood.
    public static let sigma = 0.1

    /// Throughput (share of the ladder's norm), latency (share of the scale), stall (s), switch
    /// (share of the norm).
    typealias Vector = SIMD4<Double>

    private(set) var neurons: [Vector]
    /// Euclidean norm of the ladder (kbit/s).
    private let norm: Double
    private(set) var weights = Vector(repeating: Self.initialWeight)
    private var previousLatency = 0.0

    public init(title: Title) {
        let norm = title.bitrates.reduce(0) { $0 + $1 * $1 }.squareRoot()
        self.norm = norm
        neurons = title.bitrates.map { Vector($0 / norm, 0, 0, 0) }
    }

    public mutating func decide(_ state: PlayerState) -> Decision {
        guard state.hasEstimate else { return Decision(rendition: 0) }
        let throughput = ThroughputRule.safetyFactor * state.throughput
        guard throughput > 0 else { return Decision(rendition: 0) }
        let bitrates = state.title.bitrates
        let current = max(state.lastRendition, 0)
        let time = bitrates[current] * state.title.segmentDuration / throughput
        if state.bufferLevel - time < Self.minimumBuffer {
            let lower = bitrates[..<current].lastIndex { $0 < throughput }
            return Decision(rendition: lower ?? 0)
        }
        selectWeights(state, throughput)
        let share = throughput / norm
        let wanted = Vector(share > 1 ? neurons.map(\.x).max() ?? 1 : share, 0, 0, 0)
        var winner = 0
        var least = Double.infinity
        for (rendition, neuron) in neurons.enumerated() {
            var distanceWeights = weights
            let isTooHigh =
                bitrates[rendition] > throughput - Self.headroom
                || nextBuffer(rendition, state, throughput) < Self.minimumBuffer
            if rendition > 0, isTooHigh { distanceWeights.x = Self.downshiftWeight }
            let difference = neuron - wanted
            let distance = (distanceWeights * difference * difference).sum()
            if distance < least {
                least = distance
                winner = rendition
            }
        }
        let change = abs(bitrates[current] - bitrates[winner]) / norm
        let stall = max(0, time - state.bufferLevel) / 1000
        learn(
            Vector(wanted.x, state.liveLatency / Self.latencyScale, stall, change), at: current)
        learn(Vector(wanted.x, 0, 0, change), at: winner)
        return Decision(rendition: winner)
    }

    /// Moves all neurons towards `sample`, most of all those near neuron `center`.
    private mutating func learn(_ sample: Vector, at center: Int) {
        let middle = neurons[center]
        for rendition in neurons.indices {
            let difference = neurons[rendition] - middle
            let distance = (difference * difference).sum()
            let share = Self.learningRate * exponential(-distance / (2 * Self.sigma * Self.sigma))
            neurons[rendition] += share * (sample - neurons[rendition])
        }
    }

    /// Sets the weights with the best QoE over all renditions and weights; the weights stay
    /// unchanged if none is allowed. The weights of throughput and switch do not affect the QoE:
    /// the first of equal choices counts.
    private mutating func selectWeights(_ state: PlayerState, _ throughput: Double) {
        let limit =
            max(Self.latencyLimit, state.targetLatency)
            + abs(state.liveLatency - previousLatency)
        previousLatency = state.liveLatency
        guard state.liveLatency <= limit else { return }
        let title = state.title
        var most = -Double.infinity
        for rendition in neurons.indices {
            let buffer = nextBuffer(rendition, state, throughput)
            guard buffer >= Self.minimumBuffer else { continue }
            let time = title.bitrates[rendition] * title.segmentDuration / throughput
            // The stall is never 0, so that its weight counts.
            let stall = max(0.01, time - buffer)
            let latency = neurons[rendition].y * Self.latencyScale
            for latencyWeight in Self.weightChoices {
                for stallWeight in Self.weightChoices {
                    let quality = LoLPlusQoE.segment(
                        bitrate: title.bitrates[rendition], change: 0, title: title,
                        stall: stall / stallWeight, latency: latency / latencyWeight,
                        rate: state.playbackRate)
                    if quality > most {
                        most = quality
                        let first = Self.weightChoices[0]
                        weights = Vector(first, latencyWeight, stallWeight, first)
                    }
                }
            }
        }
    }

    /// Returns LoL+'s forecast of the buffer after a segment of `rendition` (ms).
    private func nextBuffer(_ rendition: Int, _ state: PlayerState, _ throughput: Double) -> Double
    {
        let duration = state.title.segmentDuration
        let time = state.title.bitrates[rendition] * duration / throughput
        return time > duration ? state.bufferLevel - duration : state.bufferLevel + duration - time
    }
}
