import Glibc
import Processes
import Scenario
import SimulationKernel
import Sockets

extension StackSettings {
    /// Returns the driver of a server that a command line starts.
    func makeCommandDriver(cpus: CPUSet?, logDirectory: String, host: String) -> CommandDriver {
        var options = CommandDriver.Options(
            command: start.command ?? [], runDirectory: logDirectory)
        options.files = start.files ?? []
        options.environment = start.environment ?? []
        options.readiness = start.readiness ?? ServerReadiness()
        options.url = url ?? ServerPlaceholder.standardURL
        options.httpURL = httpURL
        options.hlsURL = hlsURL
        options.host = host
        options.threads = threads
        options.cpus = cpus
        options.keepsDirectory = start.keepsDirectory ?? false
        return CommandDriver(options)
    }

    /// Returns the driver of SRS, which is a command with a configuration that the run writes.
    ///
    /// - Throws: `StackError` if there is no program, or if the directory cannot stand in a
    ///   configuration.
    func makeSRSDriver(
        cpus: CPUSet?, logDirectory: String, host: String, streams: [ScenarioStream]
    ) throws(StackError) -> CommandDriver {
        guard let program = SRSProgram.path else {
            throw StackError(
                driver: "srs", message: "there is no program 'srs'; \(SRSProgram.remedy)")
        }
        // The path of the server's directory stands in the configuration, which has no quotes.
        let parent = ServerDirectory.absolute(logDirectory)
        guard parent.allSatisfy({ !$0.isWhitespace && !"{};#\"'\\".contains($0) }) else {
            throw StackError(
                driver: "srs",
                message:
                    "SRS takes blanks, quotes, braces and semicolons of '\(parent)' for its own; give another folder with --results"
            )
        }
        let configuration = srsConfiguration(host: host)
        var options = CommandDriver.Options(
            command: [
                program, "-c",
                "\(ServerPlaceholder.directory.text)/\(SRSConfiguration.fileName)",
            ], runDirectory: logDirectory)
        options.driver = "srs"
        options.files = [
            NamedText(name: SRSConfiguration.fileName, text: configuration.text)
        ]
        let base = "http://127.0.0.1:\(ServerPlaceholder.httpPort.text)"
        if hls != nil {
            for stream in streams {
                options.files += stream.names.map {
                    NamedText(
                        name: SRSConfiguration.playlistName(stream: $0),
                        text: SRSConfiguration.playlist(
                            stream: $0, variants: stream.nginxVariants))
                }
            }
            options.hlsURL = "\(base)/\(SRSConfiguration.application)/{stream}/master.m3u8"
        }
        options.httpURL = "\(base)/\(SRSConfiguration.application)"
        options.host = host
        options.cpus = cpus
        options.keepsDirectory = start.keepsDirectory ?? false
        options.startsInDirectory = true
        options.hint = SRSProgram.remedy
        return CommandDriver(options)
    }

    /// Returns the configuration for the settings of a scenario.
    func srsConfiguration(host: String) -> SRSConfiguration {
        var configuration = SRSConfiguration()
        configuration.profile = start.profile ?? .realTime
        configuration.hasGOPCache = gopCache > 0
        configuration.mergedWriteMilliseconds = flushInterval.map {
            Int($0.nanoseconds / 1_000_000)
        }
        let standard = StackSettings().outChunkSize
        configuration.chunkSize = outChunkSize == standard ? nil : outChunkSize
        configuration.hls = hls.map { ($0.segment.seconds, $0.window.seconds) }
        configuration.connections = Self.connections
        configuration.listensEverywhere = host == "0.0.0.0"
        return configuration
    }

    /// Number of connections that a process may have with its descriptors.
    private static var connections: Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return max(100, Int(min(limit.rlim_cur, 25_000)) - 300)
    }
}
