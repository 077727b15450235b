/// Two exponentially weighted moving averages of one quantity, a fast and a slow one, corrected for
/// the bias of their start: e <- a e + (1 - a) x with a = 0.5^(w / half-life), read as e / (1 -
/// 0.5^(W / half-life)), where W is the sum of the weights.
struct FastSlowAverage: Sendable {
    let fastHalfLife: Double
    let slowHalfLife: Double
    private var fastSum = 0.0
    private var slowSum = 0.0
    private(set) var weight = 0.0

    /// - Parameters: Half-lives in the unit of the weights, > 0.
    init(fast: Double, slow: Double) {
        fastHalfLife = fast
        slowHalfLife = slow
    }

    mutating func add(_ sample: Double, weight: Double) {
        let fastKept = decay(0.5, weight, fastHalfLife)
        let slowKept = decay(0.5, weight, slowHalfLife)
        fastSum = fastKept * fastSum + (1 - fastKept) * sample
        slowSum = slowKept * slowSum + (1 - slowKept) * sample
        self.weight += weight
    }

    /// Fast average; NaN before the first sample.
    var fast: Double { weight > 0 ? fastSum / (1 - decay(0.5, weight, fastHalfLife)) : .nan }
    /// Slow average; NaN before the first sample.
    var slow: Double { weight > 0 ? slowSum / (1 - decay(0.5, weight, slowHalfLife)) : .nan }
}

/// Average of the time to first byte as in dash.js: half-lives of one and two samples, and the
/// higher average counts.
struct LatencyAverage: Sendable {
    static let halfLives = (fast: 1.0, slow: 2.0)

    private var average = FastSlowAverage(fast: Self.halfLives.fast, slow: Self.halfLives.slow)

    /// - Parameter timeToFirstByte: ms; NaN is not a sample.
    mutating func add(_ timeToFirstByte: Double) {
        guard !timeToFirstByte.isNaN else { return }
        average.add(timeToFirstByte, weight: 1)
    }

    /// Average in ms; 0 before the first sample.
    var value: Double { average.weight > 0 ? max(average.fast, average.slow) : 0 }
}
