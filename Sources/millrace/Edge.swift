import ArgumentParser
import Glibc
import Logging
import Processes
import Results
import Server

struct Edge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run an edge: a pull-through HLS cache before an origin.",
        discussion: """
            An origin       millrace serve --hls fmp4 --http-port 8080
            an edge of it   millrace edge --origin http://127.0.0.1:8080 --port 8090
            play with       ffplay http://127.0.0.1:8090/hls/live/demo/master.m3u8
            statistics at   http://127.0.0.1:8090/api/v1/edge, for Prometheus at /metrics

            The edge asks the origin once for what many ask the edge for at the same time, and keeps
            it as long as the origin's Cache-Control says. Each answer tells what became of it:
            X-Cache: hit, miss or collapsed (it joined a fetch that was under way), and its Age.
              curl -sD- -o /dev/null http://127.0.0.1:8090/hls/live/demo/index.m3u8

            As if the origin were far away:
              millrace edge --origin http://127.0.0.1:8080 --wan-rate 100Mbps --wan-delay 20ms
            Over TLS:  millrace edge --origin https://origin:8443 --ca ca.pem \
                         --tls-certificate cert.pem --tls-key key.pem
            (kill -HUP reads certificate and key again, for new connections)
            An edge runs on one core; for more, run several. Cookies and Authorization are not
            passed on.
            """)

    @Option(help: ArgumentHelp("The origin, http or https.", valueName: "http[s]://host[:port]"))
    var origin: String
    @Option(help: "Address to listen on.")
    var host = "127.0.0.1"
    @Option(help: "Port to listen on; 0 picks a free one.")
    var port = 8090
    @Option(
        help: ArgumentHelp("Bytes of objects kept, 1MiB to 64GiB.", valueName: "256MiB"))
    var cache = EdgeSize(bytes: 256 << 20)
    @Option(help: "Connections to the origin, 1 to 4096; each blocked request holds one.")
    var originConnections = 128
    @Option(
        help: ArgumentHelp(
            "Time without a byte from the origin until clients get 504.", valueName: "duration"))
    var originTimeout = HLSDuration(seconds: 30)
    @Option(
        help: ArgumentHelp(
            "Time for a whole fetch from the origin.", valueName: "duration"))
    var fetchTimeout = HLSDuration(seconds: 120)
    @Option(
        help: ArgumentHelp(
            "What comes from the origin at most, all connections together.", valueName: "100Mbps"))
    var wanRate: EdgeRate?
    @Option(
        help: ArgumentHelp("One-way delay between edge and origin.", valueName: "duration"))
    var wanDelay: HLSDuration?
    @Option(help: "TCP congestion control, for example cubic; default: the system's.")
    var congestionControl: String?
    @OptionGroup(title: "Limits on what strangers may take")
    var limits: ConnectionLimitOptions
    @OptionGroup(title: "Who may ask for the status")
    var token: APITokenOptions
    @OptionGroup(title: "TLS to clients: both turn the port to https")
    var files: TLSFileOptions
    @OptionGroup(title: "TLS to an https origin")
    var tls: TLSOptions
    @Flag(name: .shortAndLong, help: "Log less.")
    var quiet = false

    func validate() throws {
        try check(port, in: 0...65535, "--port")
        if let problem = settings.problem { throw ValidationError(Redaction.urls(in: problem)) }
    }

    private var settings: EdgeConfiguration {
        var settings = EdgeConfiguration(origin: origin)
        settings.host = host
        settings.port = port
        settings.cacheBytes = cache.bytes
        settings.originConnections = originConnections
        settings.originTimeoutSeconds = originTimeout.seconds
        settings.fetchSeconds = fetchTimeout.seconds
        settings.congestionControl = congestionControl
        settings.limits = limits.limits
        settings.apiToken = token.apiToken
        settings.apiTokenFile = token.apiTokenFile
        settings.tls = files.files
        settings.trust = tls.trust
        if wanRate != nil || wanDelay != nil {
            settings.wan = .init(
                bitsPerSecond: wanRate?.bitsPerSecond,
                delayNanoseconds: Int64(min(wanDelay?.seconds ?? 0, 1e9) * 1e9))
        }
        return settings
    }

    func run() async throws {
        LargeBlocks.giveBack()
        let logger = stderrLogger(quiet ? .warning : .info)
        let edge: EdgeServer
        do {
            edge = try await EdgeServer.start(settings, logger: logger)
        } catch {
            let isTaken = (error as? ServerError)?.isPortTaken ?? false
            fail("\(error)\(isTaken ? "; give another --port, 0 picks a free one" : "")")
        }
        let name = host.contains(":") ? "[\(host)]" : host
        let site = "\(files.files == nil ? "http" : "https")://\(name):\(edge.port)"
        let reload: @Sendable () -> Void = { edge.reload() }
        try await Interruption.run(
            edge, reload: files.files == nil ? nil : reload, logger: logger
        ) {
            print("\(site)/hls/live/<stream>/index.m3u8")
            print("\(site)/hls/live/<channel>/master.m3u8")
            print("\(site)/api/v1/edge")
            print("\(site)/metrics")
            fflush(nil)
        }
    }
}
