import Foundation
public import SimulationKernel

/// Model of the one-way delay after the queue.
public struct DelayModel: Sendable, Hashable, Codable {
    public enum Distribution: String, Sendable, Hashable, Codable, CaseIterable {
        /// The jitter is distributed evenly within ± its value.
        case uniform
        /// The jitter is the standard deviation.
        case normal
        /// A Pareto distribution of shape 3, moved to mean 0 and scaled so that the jitter is the
        /// standard deviation: most packets are a little early, and few are very late (as in
        /// netem's table of that name, but without a cut-off).
        case pareto
    }

    /// Delay in nanoseconds, 0 or more.
    public var nanoseconds: Int64
    /// Jitter in nanoseconds, 0 or more; the sum of delay and jitter is never less than 0.
    public var jitterNanoseconds: Int64
    public var distribution: Distribution
    /// Correlation of one packet's jitter with the previous packet's, as normal scores (a Gaussian
    /// copula, which keeps the distribution); -1 to 1, both excluded.
    public var correlation: Double
    /// Whether packets leave in the order in which they entered. Otherwise they leave in the order
    /// of their times.
    public var keepsOrder: Bool

    public init(
        nanoseconds: Int64 = 0, jitterNanoseconds: Int64 = 0,
        distribution: Distribution = .uniform, correlation: Double = 0, keepsOrder: Bool = true
    ) {
        self.nanoseconds = nanoseconds
        self.jitterNanoseconds = jitterNanoseconds
        self.distribution = distribution
        self.correlation = correlation
        self.keepsOrder = keepsOrder
    }

    /// The longest delay and jitter in nanoseconds (a day).
    static let longest: Int64 = 86_400_000_000_000

    func check() throws(LinkError) {
        guard (0...Self.longest).contains(nanoseconds) else {
            throw LinkError("the delay is \(nanoseconds) ns; it takes 0 to one day")
        }
        guard (0...Self.longest).contains(jitterNanoseconds) else {
            throw LinkError("the jitter is \(jitterNanoseconds) ns; it takes 0 to one day")
        }
        guard correlation > -1, correlation < 1 else {
            throw LinkError("the correlation is \(correlation); it takes more than -1, less than 1")
        }
    }
}

/// The running form of a `DelayModel`.
public struct DelayProcess: Sendable {
    private let model: DelayModel
    private var random: SeededGenerator
    /// The normal score of the last packet; nil before the first.
    private var last: Double?

    public init(_ model: DelayModel, random: SeededGenerator) {
        self.model = model
        self.random = random
    }

    /// Returns the next packet's delay in nanoseconds, with `extra` added before the jitter.
    @inline(__always)
    public mutating func next(extra: Int64) -> Int64 {
        let base = model.nanoseconds + extra
        return model.jitterNanoseconds == 0
            ? base : max(0, base + Int64((Double(model.jitterNanoseconds) * jitter()).rounded()))
    }

    /// Returns a jitter in units of the model's jitter.
    private mutating func jitter() -> Double {
        if model.correlation == 0, model.distribution != .normal {
            return shape(uniform: random.nextUnit())
        }
        // This is the Box–Muller method; 1 - u is never 0.
        let fresh =
            (-2 * log(1 - random.nextUnit())).squareRoot() * cos(2 * .pi * random.nextUnit())
        let rho = model.correlation
        let score = last.map { rho * $0 + (1 - rho * rho).squareRoot() * fresh } ?? fresh
        last = score
        return model.distribution == .normal
            ? score : shape(uniform: 0.5 * erfc(-score / 2.0.squareRoot()))
    }

    private func shape(uniform: Double) -> Double {
        switch model.distribution {
        case .uniform: 2 * uniform - 1
        case .normal: 0
        case .pareto: (pow(max(1 - uniform, 0x1p-53), -1.0 / 3) - 1.5) / 0.75.squareRoot()
        }
    }
}
