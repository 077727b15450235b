import HLS
import Processes
import Server

extension HLSConfiguration {
    init(_ spec: HLSSpec) {
        self.init()
        container = spec.container == .ts ? .ts : .fmp4
        segmentSeconds = spec.segment.seconds
        partSeconds = spec.part?.seconds
        windowSeconds = spec.window.seconds
    }
}

extension StackSpec {
    /// The driver that starts this stack.
    ///
    /// - Parameters:
    ///   - logDirectory: where the server's own messages go.
    ///   - host: the address that it listens on.
    ///   - congestionControl: of the server's sockets, where the driver can set it; nil = the
    ///     system's.
    /// - Throws: `StackError` for a URL that cannot work.
    func makeDriver(
        cpus: CPUSet?, logDirectory: String, host: String = "127.0.0.1",
        congestionControl: String?
    ) throws(StackError) -> any StackDriver {
        switch driver {
        case .embedded:
            var configuration = ServerConfiguration()
            configuration.host = host
            configuration.threads = threads
            configuration.gopCache = gopCache
            configuration.flushIntervalMilliseconds = Int(flushInterval.nanoseconds / 1_000_000)
            configuration.queueByteLimit = queueLimitBytes
            configuration.chunkSize = outChunkSize
            configuration.streamKeys = keys
            configuration.hls = hls.map(HLSConfiguration.init)
            configuration.congestionControl = congestionControl
            return EmbeddedDriver(configuration, cpus: cpus, logDirectory: logDirectory)
        case .nginxRTMP:
            return NginxRTMPDriver(
                .init(
                    host: host, workers: threads, outChunkSize: outChunkSize, cpus: cpus,
                    logPath: "\(logDirectory)/server-0.log"))
        case .external:
            return try ExternalDriver(url: url ?? "", httpURL: httpURL, hlsURL: hlsURL)
        }
    }
}
