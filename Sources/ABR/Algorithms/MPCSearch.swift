/// The exact best plan of `MPC`, by branch and bound.
///
/// A prefix of a plan is left as soon as no completion can reach the best plan known. The bound
/// prices download time at some lambda between 0 and the stall penalty mu: stalls are at least
/// sum t - buffer - (n - 1) p, so that for any such lambda
///
///     value to come <= lambda (buffer + (n - 1) p) + max over plans of sum (q - |dq| - lambda t)
///
/// and the maximum does not depend on the buffer: a small table per lambda holds it.
struct MPCSearch {
    /// Prices as shares of throughput / segment duration, at which a rendition's quality is exactly
    /// worth its time; 0 ignores stalls. The stall penalty itself is the last price.
    private static let priceShares = [0.0, 0.5, 1.0]
    private static let priceCount = priceShares.count + 1
    /// Relative tolerance, larger than the rounding of the sums; plans within it are not pruned.
    private static let tolerance = 1e-9

    private let renditionCount: Int
    private let length: Int
    /// Duration of a segment in seconds.
    private let segmentDuration: Double
    private let maximumBuffer: Double
    /// Quality in Mbit/s per rendition.
    private let qualities: UnsafeMutableBufferPointer<Double>
    /// Download times in seconds, `times[position * renditionCount + rendition]`.
    private let times: UnsafeMutableBufferPointer<Double>
    /// Price per second of download time.
    private let prices: UnsafeMutableBufferPointer<Double>
    /// `toCome[(position * renditionCount + last) * priceCount + price]`: the maximum described
    /// above from `position` on, after rendition `last`.
    private let toCome: UnsafeMutableBufferPointer<Double>
    /// Bounds of the children of the open node at each position.
    private let bounds: UnsafeMutableBufferPointer<Double>
    private var best = 0
    private var bestValue = -Double.infinity
    /// Number of prefixes that were visited.
    private var visited = 0

    /// - Parameters:
    ///   - throughput: kbit/s, > 0.
    ///   - horizon: number of segments, 1 or more; a plan has fewer at the title's end.
    /// - Returns: the first rendition of the best plan, the lowest among equal plans; and the
    ///   number of visited prefixes of plans.
    static func run(_ state: PlayerState, throughput: Double, horizon: Int) -> (
        rendition: Int, visited: Int
    ) {
        let length =
            state.isLive ? horizon : min(horizon, state.title.segmentCount - state.segment)
        guard length > 0 else { return (0, 0) }
        let renditionCount = state.title.renditionCount
        let cells = length * renditionCount
        let capacity =
            renditionCount + 2 * cells + priceCount + (cells + renditionCount) * priceCount
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: capacity) { memory in
            memory.initialize(repeating: 0)
            var search = MPCSearch(state, throughput: throughput, length: length, memory)
            let last = state.lastRendition
            search.extend(0, buffer: state.bufferLevel / 1000, value: 0, last: last, first: 0)
            return (search.best, search.visited)
        }
    }

    private init(
        _ state: PlayerState, throughput: Double, length: Int,
        _ memory: UnsafeMutableBufferPointer<Double>
    ) {
        let title = state.title
        renditionCount = title.renditionCount
        self.length = length
        segmentDuration = title.segmentDuration / 1000
        maximumBuffer = state.maximumBuffer / 1000
        var used = 0
        func take(_ count: Int) -> UnsafeMutableBufferPointer<Double> {
            used += count
            return UnsafeMutableBufferPointer(rebasing: memory[used - count..<used])
        }
        qualities = take(renditionCount)
        times = take(length * renditionCount)
        bounds = take(length * renditionCount)
        prices = take(Self.priceCount)
        toCome = take((length + 1) * renditionCount * Self.priceCount)
        for rendition in 0..<renditionCount {
            qualities[rendition] = title.bitrates[rendition] / 1000
        }
        for position in 0..<length {
            for rendition in 0..<renditionCount {
                let size = title.size(segment: state.segment + position, rendition: rendition)
                times[position * renditionCount + rendition] =
                    (state.latency + size / throughput) / 1000
            }
        }
        let fair = throughput / 1000 / segmentDuration
        for (index, share) in Self.priceShares.enumerated() {
            prices[index] = min(share * fair, MPC.stallPenalty)
        }
        prices[Self.priceCount - 1] = MPC.stallPenalty
        fillToCome()
    }

    private func fillToCome() {
        for position in (0..<length).reversed() {
            for last in 0..<renditionCount {
                for price in 0..<Self.priceCount {
                    var most = -Double.infinity
                    for rendition in 0..<renditionCount {
                        most = max(
                            most,
                            qualities[rendition] - abs(qualities[rendition] - qualities[last])
                                - prices[price] * times[position * renditionCount + rendition]
                                + toCome[
                                    ((position + 1) * renditionCount + rendition) * Self.priceCount
                                        + price])
                    }
                    toCome[(position * renditionCount + last) * Self.priceCount + price] = most
                }
            }
        }
    }

    /// Returns an upper bound of the value that a plan can reach from `position` on.
    @inline(__always)
    private func bound(_ position: Int, buffer: Double, last: Int) -> Double {
        guard position < length else { return 0 }
        let media = buffer + Double(length - position - 1) * segmentDuration
        let row = (position * renditionCount + last) * Self.priceCount
        var least = Double.infinity
        for price in 0..<Self.priceCount {
            least = min(least, prices[price] * media + toCome[row + price])
        }
        return least
    }

    /// Computes one segment: the buffer after it (s) and its share of the plan's value.
    @inline(__always)
    private func step(_ position: Int, _ rendition: Int, buffer: Double, last: Int)
        -> (buffer: Double, gain: Double)
    {
        let time = times[position * renditionCount + rendition]
        let stall = max(time - buffer, 0)
        let change = last < 0 ? 0 : abs(qualities[rendition] - qualities[last])
        return (
            min(max(buffer - time, 0) + segmentDuration, maximumBuffer),
            qualities[rendition] - MPC.stallPenalty * stall - change
        )
    }

    private mutating func extend(
        _ position: Int, buffer: Double, value: Double, last: Int, first: Int
    ) {
        visited += 1
        if position == length {
            if value > bestValue || (value == bestValue && first < best) {
                bestValue = value
                best = first
            }
            return
        }
        let base = position * renditionCount
        for rendition in 0..<renditionCount {
            let next = step(position, rendition, buffer: buffer, last: last)
            bounds[base + rendition] =
                value + next.gain + bound(position + 1, buffer: next.buffer, last: rendition)
        }
        // The most promising child comes first.
        for _ in 0..<renditionCount {
            var rendition = 0
            for other in 1..<renditionCount where bounds[base + other] > bounds[base + rendition] {
                rendition = other
            }
            let slack = Self.tolerance * (1 + abs(bestValue))
            guard bounds[base + rendition] >= bestValue - slack else { return }
            bounds[base + rendition] = -.infinity
            let next = step(position, rendition, buffer: buffer, last: last)
            extend(
                position + 1, buffer: next.buffer, value: value + next.gain, last: rendition,
                first: position == 0 ? rendition : first)
        }
    }
}
