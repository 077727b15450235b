/// What the CPU time of server and edges carried in the steady window. A figure without a
/// measurement is nil.
public struct ServerEfficiency: Codable, Sendable, Equatable {
    /// Mean number of cores that server and edges used.
    public var serverCores = 0.0
    /// Payload that all viewers received: audio and video messages, and bodies of segments.
    public var deliveredGigabitsPerSecond: Double?
    /// Mean number of viewers that played.
    public var playingViewers: Double?
    /// CPU seconds of server and edges for each gigabit of that payload.
    public var cpuSecondsPerGigabit: Double?
    public var viewersPerCore: Double?
    /// Streams that were published into the server, for each core.
    public var streamsPerCore: Double?

    public init() {}
}

/// The thread of a role that used the most CPU time in the steady window.
public struct BusyThread: Codable, Sendable, Equatable {
    public var role: String
    /// Name of the process; empty if it has none.
    public var process: String
    /// Name of the thread as the kernel knows it.
    public var thread: String
    /// Mean over the steady window in percent; 100 = one core.
    public var cpuPercent: Double
    /// The most in one interval between two samples.
    public var peakPercent: Double
    /// Number of threads of the role that used CPU time in the window.
    public var threads: Int

    public init(
        role: String, process: String, thread: String, cpuPercent: Double, peakPercent: Double,
        threads: Int
    ) {
        self.role = role
        self.process = process
        self.thread = thread
        self.cpuPercent = cpuPercent
        self.peakPercent = peakPercent
        self.threads = threads
    }
}
