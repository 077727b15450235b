import Processes
import Server

extension StackSpec {
    /// The driver that starts this stack.
    ///
    /// - Parameters:
    ///   - logDirectory: where the server's own messages go.
    ///   - congestionControl: of the server's sockets, where the driver can set it; nil = the
    ///     system's.
    /// - Throws: `StackError` for a URL that cannot work.
    func makeDriver(
        cpus: CPUSet?, logDirectory: String, congestionControl: String?
    ) throws(StackError) -> any StackDriver {
        switch driver {
        case .embedded:
            var configuration = ServerConfiguration()
            configuration.threads = threads
            configuration.gopCache = gopCache
            configuration.flushIntervalMilliseconds = Int(flushInterval.nanoseconds / 1_000_000)
            configuration.queueByteLimit = queueLimitBytes
            configuration.chunkSize = outChunkSize
            configuration.streamKeys = keys
            configuration.congestionControl = congestionControl
            return EmbeddedDriver(configuration, cpus: cpus, logDirectory: logDirectory)
        case .nginxRTMP:
            return NginxRTMPDriver(
                .init(
                    workers: threads, outChunkSize: outChunkSize, cpus: cpus,
                    logPath: "\(logDirectory)/server-0.log"))
        case .external:
            return try ExternalDriver(url: url ?? "", httpURL: httpURL)
        }
    }
}
