package import Floor
import HLS
package import Processes
package import Scenario
package import Server
import SimulationKernel
import Sockets

extension StackSettings {
    /// The driver that starts this stack.
    ///
    /// - Parameters:
    ///   - encoderCPUs: CPUs of the encoders; nil = the server's CPUs.
    ///   - logDirectory: Directory for the server's own messages.
    ///   - host: Address on which the server listens.
    ///   - congestionControl: Congestion control of the server's sockets, if the driver can set it;
    ///     nil = the system's.
    ///   - streams: Streams of the scenario; the server's encoders make their ladders.
    ///   - floorStreams: Streams that a floor sender sends.
    ///   - targets: Servers to which the stack pushes each stream; an external server is not told.
    ///   - apiToken: Token of the embedded stack's API, which then has a port and an event loop of
    ///     its own; nil = the API is at the HTTP port.
    ///   - onStatus: Function that gets the status of a server with encoders once a second.
    /// - Throws: `StackError` for a URL that cannot work, and if there is no SRS.
    package func makeDriver(
        cpus: CPUSet?, encoderCPUs: CPUSet? = nil, logDirectory: String,
        host: String = "127.0.0.1", congestionControl: String?, streams: [ScenarioStream] = [],
        targets: [RelayTarget] = [], floorStreams: [FloorStream] = [], apiToken: String? = nil,
        onStatus: @escaping @Sendable (ServerStatus) -> Void = { _ in }
    ) throws(StackError) -> any StackDriver {
        switch driver {
        case .embedded:
            var configuration = ServerConfiguration()
            // The limits are for strangers, and a load test is not a stranger.
            configuration.limits = .none
            configuration.host = host
            configuration.threads = threads
            configuration.senders = senders
            configuration.buffers = buffers ?? .shared
            configuration.gopCache = gopCache
            configuration.flushIntervalMilliseconds = flushInterval.map {
                Int($0.nanoseconds / 1_000_000)
            }
            configuration.queueByteLimit = queueLimitBytes
            configuration.chunkSize = outChunkSize
            configuration.streamKeys = keys
            configuration.hls = hls.map(HLSConfiguration.init)
            configuration.congestionControl = congestionControl
            configuration.add(ladders: streams, cpus: encoderCPUs ?? cpus)
            configuration.pushes = try Self.pushes(to: targets)
            if let apiToken {
                configuration.apiPort = 0
                configuration.apiHost = "127.0.0.1"
                configuration.access.apiToken = apiToken
            }
            return EmbeddedDriver(
                configuration, cpus: cpus, logDirectory: logDirectory, restarts: restarts,
                onStatus: onStatus)
        case .nginxRTMP:
            var options = NginxRTMPDriver.Options(
                host: host, workers: threads, outChunkSize: outChunkSize, cpus: cpus,
                logPath: "\(logDirectory)/server-0.log")
            options.add(hls, streams: streams, encoderCPUs: encoderCPUs)
            options.pushes = targets.map(\.url)
            return NginxRTMPDriver(options, onStatus: onStatus)
        case .command:
            return makeCommandDriver(cpus: cpus, logDirectory: logDirectory, host: host)
        case .srs:
            return try makeSRSDriver(
                cpus: cpus, logDirectory: logDirectory, host: host, streams: streams)
        case .external:
            return try ExternalDriver(
                url: url ?? "", httpURL: httpURL, hlsURL: hlsURL, trust: tls ?? TLSTrust(),
                accounting: accounting)
        case .floor:
            var configuration = FloorConfiguration(streams: floorStreams)
            configuration.host = host
            configuration.flushIntervalMilliseconds = Int(
                (flushInterval?.nanoseconds ?? 0) / 1_000_000)
            configuration.chunkSize = outChunkSize
            configuration.queueByteLimit = queueLimitBytes
            configuration.congestionControl = congestionControl
            return FloorDriver(configuration, cpus: cpus, logDirectory: logDirectory)
        }
    }

    private static func pushes(to targets: [RelayTarget]) throws(StackError) -> [PushRule] {
        do {
            return try targets.map { try PushRule("live/*=\($0.url)/{stream}") }
        } catch {
            throw StackError(driver: Driver.embedded.rawValue, message: "\(error)")
        }
    }
}

extension ServerConfiguration {
    /// Adds the streams' encoders. A multivariant playlist then offers what they make. It leaves
    /// out the source, because the source's key frames are at other times.
    fileprivate mutating func add(ladders streams: [ScenarioStream], cpus: CPUSet?) {
        guard streams.contains(where: { $0.ladder != nil }) else { return }
        ladders = streams.flatMap { stream in
            stream.names.compactMap { name in
                var ladder = stream.ladder?.configuration(source: "live/\(name)")
                ladder?.cpus = cpus
                return ladder
            }
        }
        hls?.channels = streams.flatMap { stream in
            stream.names.map { name in
                .init(
                    name: "live/\(name)",
                    renditions: stream.renditions.map {
                        .init(name: $0.name, stream: "\(name)_\($0.name)")
                    })
            }
        }
    }
}

extension NginxRTMPDriver.Options {
    /// Adds nginx's own HLS, and encoders of the streams that have a ladder. `NginxRules` has
    /// checked that all streams are alike.
    fileprivate mutating func add(
        _ settings: HLSSettings?, streams: [ScenarioStream], encoderCPUs: CPUSet?
    ) {
        hls = settings.map {
            .init(
                segmentSeconds: $0.segment.seconds, windowSeconds: $0.window.seconds,
                variants: streams.first?.nginxVariants ?? [])
        }
        let encoded = streams.filter { $0.ladder != nil }
        sources = encoded.flatMap(\.names)
        ladder = encoded.first?.ladder?.configuration(
            source: "\(NginxConfiguration.sourceApplication)/*")
        // Without CPUs of their own, encoders use nginx's CPUs.
        ladder?.cpus = encoderCPUs
    }
}
