/// One period of a trace as Sabre describes it.
public struct SabrePeriod: Hashable, Sendable {
    /// Duration in ms, > 0.
    public var duration: Double
    /// Bandwidth in kbit/s, 0 or more.
    public var bandwidth: Double
    /// Delay of one request (ms), 0 or more.
    public var latency: Double

    public init(duration: Double, bandwidth: Double, latency: Double) {
        self.duration = duration
        self.bandwidth = bandwidth
        self.latency = latency
    }
}

/// Sabre's network (UMass-LIDS/sabre, commit 09b03bb): a request costs one latency, then the
/// segment downloads at the trace's bandwidth; the trace repeats. Additions and subtractions are
/// in the reference's order, so that sums agree to the last bit.
struct SabreNetwork {
    /// Smallest number of bits between two progress reports of a download.
    static let minimumProgressSize = 12_000.0
    /// Shortest time between two progress reports of a download (ms).
    static let minimumProgressTime = 50.0

    let trace: [SabrePeriod]
    private(set) var time = 0.0
    private(set) var sustainableRendition = 0
    /// Changes of the sustainable rendition that have not been taken yet, with the previous
    /// rendition and the time.
    private(set) var changes: [(rendition: Int, previous: Int, time: Double)] = []
    private let bitrates: [Double]
    private let segmentDuration: Double
    private var index = -1
    private var left = 0.0

    init(trace: [SabrePeriod], title: Title) {
        self.trace = trace
        bitrates = title.bitrates
        segmentDuration = title.segmentDuration
        advance()
        changes.removeAll()
    }

    /// Returns the changes of the sustainable rendition since the last call.
    mutating func takeChanges() -> [(rendition: Int, previous: Int, time: Double)] {
        defer { changes.removeAll(keepingCapacity: true) }
        return changes
    }

    private mutating func advance() {
        index = index + 1 == trace.count ? 0 : index + 1
        let period = trace[index]
        left = period.duration
        let effective = period.bandwidth * (1 - period.latency / segmentDuration)
        let previous = sustainableRendition
        sustainableRendition = 0
        for rendition in 1..<max(bitrates.count, 1) {
            if bitrates[rendition] > effective { break }
            sustainableRendition = rendition
        }
        if sustainableRendition != previous {
            changes.append((sustainableRendition, previous, time))
        }
    }

    private mutating func pass(_ milliseconds: Double) {
        time += milliseconds
        left -= milliseconds
    }

    mutating func wait(_ milliseconds: Double) {
        var remaining = milliseconds
        while remaining > left {
            remaining -= left
            time += left
            advance()
        }
        pass(remaining)
    }

    /// Returns the request's latency, which may extend over periods of different latency (ms).
    mutating func requestLatency() -> Double {
        var units = 1.0
        var total = 0.0
        while units > 0 {
            let latency = trace[index].latency
            let needed = units * latency
            if needed <= left {
                total += needed
                pass(needed)
                units = 0
            } else {
                total += left
                time += left
                units -= left / latency
                advance()
            }
        }
        return total
    }

    /// Returns the time to download `size` bits (ms).
    mutating func download(_ size: Double) -> Double {
        var remaining = size
        var total = 0.0
        while remaining > 0 {
            let bandwidth = trace[index].bandwidth
            if remaining <= left * bandwidth {
                let needed = remaining / bandwidth
                total += needed
                pass(needed)
                remaining = 0
            } else {
                total += left
                time += left
                remaining -= left * bandwidth
                advance()
            }
        }
        return total
    }

    /// Downloads until everything has arrived, or the minimum of both size and time is reached.
    mutating func downloadSome(
        _ size: Double, minimumSize: Double, minimumTime: Double
    ) -> (bits: Double, time: Double) {
        var (size, minimumSize, minimumTime) = (size, minimumSize, minimumTime)
        var total = (bits: 0.0, time: 0.0)
        while size > 0, minimumSize > 0 || minimumTime > 0 {
            let bandwidth = trace[index].bandwidth
            var step = (bits: 0.0, time: 0.0)
            if bandwidth > 0 {
                let minimum = max(minimumSize, minimumTime * bandwidth)
                let toNext = left * bandwidth
                if size <= minimum, size <= toNext {
                    step = (size, size / bandwidth)
                    pass(step.time)
                } else if minimum <= toNext {
                    step = (minimum, minimum / bandwidth)
                    minimumSize = 0
                    minimumTime = 0
                    pass(step.time)
                } else {
                    step = (toNext, left)
                    time += left
                    advance()
                }
            } else if minimumSize > 0 || minimumTime > left {
                step.time = left
                time += left
                advance()
            } else {
                step.time = minimumTime
                pass(minimumTime)
            }
            total.bits += step.bits
            total.time += step.time
            size -= step.bits
            minimumSize -= step.bits
            minimumTime -= step.time
        }
        return total
    }
}
