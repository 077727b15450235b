import Foundation
public import SimulationKernel

/// A recipe for a rate schedule. The same recipe with the same seed gives the same schedule.
public enum TraceGenerator: Sendable, Hashable {
    case constant(Bitrate)
    /// Rates one after the other, each for `seconds` (more than 0).
    case steps([Bitrate], seconds: Double)
    /// `high` and `low` in turns, each for one half of `periodSeconds` (more than 0).
    case square(low: Bitrate, high: Bitrate, periodSeconds: Double)
    /// The rates of a fading radio link; see `Fading`.
    case fading(Fading)
    /// The rates of a fading link that loses its signal in tunnels; see `Tunnel`.
    case tunnel(Fading, Tunnel)

    /// Log-normal rates, one for each second. The logarithm of the rate follows a first-order
    /// autoregression, roughly as measured rates of cellular links do. Each rate is limited to
    /// between 1/20 of the mean and four times the mean. Outages come at random.
    public struct Fading: Sendable, Hashable {
        /// Mean rate outside outages, before the limits are applied.
        public var mean: Bitrate
        /// Standard deviation of the natural logarithm of the rate, 0 or more.
        public var sigma: Double
        /// Correlation of a second with the previous second, 0 to 1.
        public var correlation: Double
        /// Number of outages that begin per minute, 0 or more.
        public var outagesPerMinute: Double
        /// Mean length of the outages in seconds, at least 1. The lengths are distributed
        /// geometrically.
        public var outageSeconds: Double
        /// Length of the trace in seconds before it repeats, 1 to 86,400.
        public var seconds: Int

        public init(
            mean: Bitrate, sigma: Double, correlation: Double, outagesPerMinute: Double = 0,
            outageSeconds: Double = 1, seconds: Int = 600
        ) {
            self.mean = mean
            self.sigma = sigma
            self.correlation = correlation
            self.outagesPerMinute = outagesPerMinute
            self.outageSeconds = outageSeconds
            self.seconds = seconds
        }
    }

    /// Open road and tunnels in turns. During the first two and the last two seconds of a tunnel
    /// the link keeps a tenth of its rate, and between them the rate is 0.
    public struct Tunnel: Sendable, Hashable {
        /// Shortest and longest stretch of open road, each 1 s or more.
        public var roadSeconds: ClosedRange<Int>
        /// Shortest and longest tunnel, each 1 s or more.
        public var tunnelSeconds: ClosedRange<Int>

        public init(
            roadSeconds: ClosedRange<Int> = 40...80, tunnelSeconds: ClosedRange<Int> = 5...20
        ) {
            self.roadSeconds = roadSeconds
            self.tunnelSeconds = tunnelSeconds
        }
    }

    /// Returns a recipe for a link like LTE: for most of the time its rate is between half the mean
    /// and twice the mean, and it has no outages.
    public static func lte(mean: Bitrate) -> Self {
        .fading(Fading(mean: mean, sigma: 0.5, correlation: 0.9))
    }

    /// Returns a recipe for a link like HSPA: its rate varies more, and outages of some seconds
    /// begin twice in three minutes.
    public static func hspa(mean: Bitrate) -> Self {
        .fading(
            Fading(
                mean: mean, sigma: 0.7, correlation: 0.85, outagesPerMinute: 0.7, outageSeconds: 3))
    }

    /// Makes the schedule.
    /// - Parameters:
    ///   - seed: seed of the random rates and tunnels; the other recipes do not use it.
    ///   - delayNanoseconds: one-way latency of every period, 0 or more.
    /// - Throws: `RateScheduleError` if the parameters make no valid schedule.
    public func schedule(
        seed: UInt64, delayNanoseconds: Int64 = 0
    ) throws(RateScheduleError) -> RateSchedule {
        func period(_ rate: Double, _ seconds: Double) -> RateSchedule.Period {
            RateSchedule.Period(
                durationNanoseconds: seconds > 0 ? Int64(min(seconds, 1e9) * 1e9) : 0,
                bitsPerSecond: rate.isFinite ? Int64(min(rate, 1e18).rounded()) : 0,
                delayNanoseconds: delayNanoseconds)
        }
        switch self {
        case .constant(let rate):
            return try RateSchedule(periods: [period(Double(rate.bitsPerSecond), 1)])
        case .steps(let rates, let seconds):
            return try RateSchedule(
                periods: rates.map { period(Double($0.bitsPerSecond), seconds) })
        case .square(let low, let high, let seconds):
            return try RateSchedule(
                periods: [high, low].map { period(Double($0.bitsPerSecond), seconds / 2) })
        case .fading(let fading):
            return try RateSchedule(periods: fading.rates(seed: seed).map { period($0, 1) })
        case .tunnel(let fading, let tunnel):
            var random = SeededGenerator(seed: seed, entity: "tunnel")
            var rates = fading.rates(seed: seed)
            tunnel.dig(&rates, using: &random)
            return try RateSchedule(periods: rates.map { period($0, 1) })
        }
    }
}

extension TraceGenerator.Fading {
    /// Returns rates in bit/s, one for each second.
    func rates(seed: UInt64) -> [Double] {
        var random = SeededGenerator(seed: seed, entity: "fading")
        let rho = min(1, max(0, correlation))
        let mean = Double(self.mean.bitsPerSecond)
        var score = random.nextNormal()
        var outage = 0
        return (0..<min(max(1, seconds), 86_400)).map { _ in
            score = rho * score + (1 - rho * rho).squareRoot() * random.nextNormal()
            if outage > 0 {
                outage -= 1
                return 0
            }
            if random.nextUnit() < outagesPerMinute / 60 {
                while random.nextUnit() < 1 - 1 / max(1, outageSeconds), outage < 600 {
                    outage += 1
                }
                return 0
            }
            // If its logarithm has the mean 0, a log-normal variable has the mean exp(sigma² / 2).
            // The exponent takes this factor off, so that `mean` is the mean of the rates.
            let rate = mean * exp(sigma * score - sigma * sigma / 2)
            return min(max(rate, mean / 20), mean * 4)
        }
    }
}

extension TraceGenerator.Tunnel {
    /// Lowers the rates of the seconds that lie in tunnels. The first tunnel comes after a road.
    func dig(_ rates: inout [Double], using random: inout SeededGenerator) {
        var second = Int.random(in: roadSeconds, using: &random)
        while second < rates.count {
            let length = Int.random(in: tunnelSeconds, using: &random)
            for i in second..<min(second + length, rates.count) {
                let depth = min(i - second, second + length - 1 - i)
                rates[i] = depth < 2 ? rates[i] / 10 : 0
            }
            second += length + Int.random(in: roadSeconds, using: &random)
        }
    }
}

extension SeededGenerator {
    /// Returns the next draw from the standard normal distribution (method of Box and Muller).
    mutating func nextNormal() -> Double {
        (-2 * log(1 - nextUnit())).squareRoot() * cos(2 * .pi * nextUnit())
    }
}
