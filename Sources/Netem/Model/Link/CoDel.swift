/// Controlled Delay (RFC 8289).
public struct CoDelParameters: Sendable, Hashable {
    /// Acceptable standing delay in nanoseconds; the RFC's value is 5 ms. It is more than 0 and
    /// less than the interval.
    public var targetNanoseconds: Int64
    /// Time in nanoseconds for which the delay may stay above the target; the RFC's value is 100
    /// ms.
    public var intervalNanoseconds: Int64
    /// Number of waiting bytes up to which nothing is dropped (MAXPACKET).
    public var largestPacketBytes: Int

    public init(
        targetNanoseconds: Int64 = 5_000_000, intervalNanoseconds: Int64 = 100_000_000,
        largestPacketBytes: Int = 1514
    ) {
        self.targetNanoseconds = targetNanoseconds
        self.intervalNanoseconds = intervalNanoseconds
        self.largestPacketBytes = largestPacketBytes
    }

    func check() throws(LinkError) {
        guard intervalNanoseconds > 0, intervalNanoseconds <= DelayModel.longest else {
            throw LinkError(
                "CoDel's interval is \(intervalNanoseconds) ns; it takes more than 0 to one day")
        }
        guard targetNanoseconds > 0, targetNanoseconds < intervalNanoseconds else {
            throw LinkError(
                "CoDel's target is \(targetNanoseconds) ns; it takes more than 0 and less than the interval"
            )
        }
    }
}

/// State of the algorithm, with the RFC's terms.
struct CoDel: Sendable {
    let parameters: CoDelParameters
    /// The RFC's dropping_.
    var isDropping = false
    /// Number of drops since the dropping state was entered (count_).
    var count = 0
    /// The RFC's drop_next_.
    var nextDrop: Int64 = 0
    /// The RFC's ok_to_drop for the packet taken last.
    private(set) var mayDrop = false
    /// The RFC's first_above_time_; nil if the delay is below the target.
    private var firstAbove: Int64?
    /// The RFC's lastcount_.
    private var lastCount = 0

    init(_ parameters: CoDelParameters) { self.parameters = parameters }

    /// Returns the time of the next drop after `instant`: one interval over the square root of the
    /// drops so far.
    func controlLaw(_ instant: Int64) -> Int64 {
        instant
            + Int64(
                (Double(parameters.intervalNanoseconds) / Double(max(1, count)).squareRoot())
                    .rounded())
    }

    /// Notes a packet's time in the queue; nil if the queue was empty.
    mutating func judge(sojourn: Int64?, queuedBytes: Int, now: Int64) {
        mayDrop = false
        guard let sojourn, sojourn >= parameters.targetNanoseconds,
            queuedBytes > parameters.largestPacketBytes
        else {
            firstAbove = nil
            return
        }
        if let firstAbove {
            mayDrop = now >= firstAbove
        } else {
            firstAbove = now + parameters.intervalNanoseconds
        }
    }

    /// Enters the dropping state at `now`. If the last dropping state ended recently, its rate is
    /// used again.
    mutating func startDropping(_ now: Int64) {
        isDropping = true
        let delta = count - lastCount
        count = delta > 1 && now - nextDrop < 16 * parameters.intervalNanoseconds ? delta : 1
        nextDrop = controlLaw(now)
        lastCount = count
    }
}
