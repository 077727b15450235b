public import ArgumentParser
import Glibc
import HLS
import HTTPWire
import Logging
import Processes
public import Server
import Sockets

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the embedded stack: RTMP in; RTMP, HTTP-FLV and HLS out.",
        discussion: """
            Publish with   ffmpeg -re -i in.mp4 -c copy -f flv rtmp://127.0.0.1:1935/live/demo
            play with      ffplay rtmp://127.0.0.1:1935/live/demo
            or             ffplay http://127.0.0.1:8080/live/demo.flv
            status at      http://127.0.0.1:8080/api/v1/status, for Prometheus at /metrics

            HLS            millrace serve --hls ts            any player, 6 s and more behind
                           millrace serve --hls fmp4 --hls-part 500ms      low-latency HLS
            play with      ffplay http://127.0.0.1:8080/hls/live/demo/index.m3u8
            all renditions of cam (streams cam_720p, cam_480p, ...)
                           ffplay http://127.0.0.1:8080/hls/live/cam/master.m3u8

            Over TLS       millrace serve --rtmps-port 1936 --https-port 8443 \
                             --tls-certificate cert.pem --tls-key key.pem
                           (kill -HUP reads certificate and key again, for new connections)
            publish with   ffmpeg -re -i in.mp4 -c copy -f flv rtmps://host:1936/live/demo
            play with      ffplay https://host:8443/live/demo.flv
            With a private authority:  millrace view --ca ca.pem rtmps://host:1936/live/demo

            Keys           millrace serve --stream-key live/demo:SECRET --play-key demo:OTHER
            publish with   ... rtmp://127.0.0.1/live/demo?key=SECRET
            play with      ffplay 'http://127.0.0.1:8080/hls/live/demo/index.m3u8?key=OTHER'
            from files     --stream-keys FILE, --play-keys FILE; kill -HUP reads them again
            End a stream   curl -X POST 'http://127.0.0.1:8080/api/v1/kick?stream=live/demo'

            Push           millrace serve --push 'live/*=rtmp://10.0.0.2/live/{stream}'
            while it runs  curl -X POST 'http://127.0.0.1:8080/api/v1/push?stream=live/demo&url=rtmp://10.0.0.3/live/demo'
                           (-X DELETE ends it; the status and /metrics show each target)

            With --ladder, ffmpeg makes renditions of each published stream, and they are played as
            <stream>_<rendition>:
              millrace serve --ladder edge-ladder     (live/demo gives live/demo_720p … _240p)
              millrace serve --ladder 480p:854x480@30:1000+128,240p:426x240@15:200+64
            Their state, pids and last errors are in the status.
            """)

    @Option(help: "Address to listen on.")
    var host = "127.0.0.1"
    @Option(help: "RTMP port; 0 picks a free one.")
    var rtmpPort = 1935
    @Option(help: "HTTP port for HTTP-FLV, HLS and the status API; 0 picks a free one.")
    var httpPort = 8080
    @Option(
        help:
            "Port of the API and /metrics on a thread of their own, and no longer at the HTTP ports; 0 picks a free one."
    )
    var apiPort: Int?
    @Option(help: "Address of --api-port; default: --host.")
    var apiHost: String?
    @Option(help: "RTMP port over TLS, beside the plain one; 0 picks a free one.")
    var rtmpsPort: Int?
    @Option(help: "HTTP port over TLS, beside the plain one; 0 picks a free one.")
    var httpsPort: Int?
    @OptionGroup(title: "TLS")
    var tls: TLSFileOptions
    @Flag(help: "Serve no plain HTTP.")
    var noHTTP = false
    @Option(
        help: ArgumentHelp(
            "Event loop threads, 1 to 64; or per-session (one loop reads, and each player or target has a thread that sends to it), or per-stream (one thread sends to all of a stream's).",
            valueName: "n|per-session|per-stream"))
    var threads = ThreadsArgument(loops: 1)
    @Option(
        help:
            "Memory of what is sent: shared by all players and targets, or a copy for each of them."
    )
    var buffers = BufferModel.shared
    @Option(help: "Groups of pictures kept for joining players, 0 to 8; 0 = wait for a key frame.")
    var gopCache = 1
    @Option(
        help:
            "Milliseconds for which all messages wait, to leave in one write, 0 to 10000; 0 = each message at once, auto = audio alone waits, 40 at the most, and only under load."
    )
    var flushInterval = FlushIntervalArgument(milliseconds: nil)
    @Option(help: "KiB that may wait for one player before frames are dropped.")
    var queueLimit = 2048
    @Option(help: "Chunk size of what is sent, 128 to 16777215.")
    var chunkSize = 65536
    @Option(help: "A second publisher of a stream: reject it, or let it take over.")
    var takeover = ServerConfiguration.TakeoverPolicy.reject
    @Option(help: "A player that comes before the publisher: wait or refuse.")
    var earlyPlay = ServerConfiguration.EarlyPlayPolicy.wait
    @Option(help: "Seconds in which a publisher whose connection broke may return.")
    var publisherGrace = 5
    @Option(help: "Seconds after which a silent publisher is cut.")
    var idleTimeout = 30
    @OptionGroup(title: "HLS")
    var hls: HLSOptions
    @Option(help: "TCP congestion control, for example cubic; default: the system's.")
    var congestionControl: String?
    @OptionGroup(title: "Ladder")
    var ladder: LadderOptions
    @OptionGroup(title: "Push to other servers")
    var push: PushOptions
    @OptionGroup(title: "Who may do what")
    var access: AccessOptions
    @OptionGroup(title: "Limits on what strangers may take")
    var limits: LimitOptions
    @Option(
        help: ArgumentHelp(
            "Become this user once the ports are open. Files that SIGHUP reads again must be readable for it; encoders run as it, too.",
            valueName: "name"))
    var user: String?
    @Flag(name: .shortAndLong, help: "Log less.")
    var quiet = false

    func validate() throws {
        try check(rtmpPort, in: 0...65535, "--rtmp-port")
        try check(httpPort, in: 0...65535, "--http-port")
        try check(gopCache, in: 0...8, "--gop-cache")
        try check(queueLimit, in: 16...1_048_576, "--queue-limit")
        try check(chunkSize, in: 128...0xFF_FFFF, "--chunk-size")
        try check(publisherGrace, in: 0...3600, "--publisher-grace")
        try check(idleTimeout, in: 1...86_400, "--idle-timeout")
        var settings = ServerConfiguration()
        for (port, name) in [
            (rtmpsPort, "--rtmps-port"), (httpsPort, "--https-port"), (apiPort, "--api-port"),
        ] {
            if let port { try check(port, in: 0...65535, name) }
        }
        settings.rtmpsPort = rtmpsPort
        settings.httpsPort = httpsPort
        settings.tls = tls.files
        settings.apiPort = apiPort
        settings.apiHost = apiHost
        settings.threads = threads.loops
        settings.senders = threads.senders
        settings.pushes = try push.rules()
        if let problem = settings.problem { throw ValidationError(problem) }
        if noHTTP, httpsPort == nil, hls.hls != nil {
            throw ValidationError(
                "--hls is served over HTTP: leave --no-http out, or give --https-port")
        }
    }

    private func configuration() throws -> ServerConfiguration {
        var configuration = ServerConfiguration()
        configuration.host = host
        configuration.rtmpPort = rtmpPort
        configuration.httpPort = noHTTP ? nil : httpPort
        configuration.rtmpsPort = rtmpsPort
        configuration.httpsPort = httpsPort
        configuration.apiPort = apiPort
        configuration.apiHost = apiHost
        configuration.tls = tls.files
        configuration.threads = threads.loops
        configuration.senders = threads.senders
        configuration.buffers = buffers
        configuration.gopCache = gopCache
        configuration.flushIntervalMilliseconds = flushInterval.milliseconds
        configuration.queueByteLimit = queueLimit << 10
        configuration.chunkSize = chunkSize
        configuration.streamKeys = access.streamKey
        configuration.access = access.configuration
        configuration.takeover = takeover
        configuration.earlyPlay = earlyPlay
        configuration.publisherGraceMilliseconds = publisherGrace * 1000
        configuration.publisherIdleMilliseconds = idleTimeout * 1000
        configuration.congestionControl = congestionControl
        configuration.hls = hls.configuration
        configuration.limits = limits.limits
        configuration.pushes = try push.rules()
        configuration.pushTrust = push.trust
        configuration.ladders = try ladder.configuration().map { [$0] } ?? []
        return configuration
    }

    func run() async throws {
        let configuration = try configuration()
        let logger = stderrLogger(quiet ? .warning : .info)
        do throws(Privileges.Fault) {
            if let user { try Privileges.check(user) }
        } catch {
            fail(error.description)
        }
        let server: RelayServer
        do {
            server = try await RelayServer.start(configuration, logger: logger)
        } catch let error as ServerError {
            let flag =
                switch error.listener {
                case .rtmp: "--rtmp-port"
                case .http: "--http-port"
                case .rtmps: "--rtmps-port"
                case .https: "--https-port"
                case .api: "--api-port"
                }
            fail(
                "\(error)\(error.isPortTaken ? "; give another \(flag), 0 picks a free one" : "")")
        } catch {
            fail("\(error)")
        }
        do throws(Privileges.Fault) {
            if let user { try Privileges.drop(to: user) }
        } catch {
            try? await server.stop()
            fail(error.description)
        }
        if let user { tellUnreadable(configuration, user, logger) }
        let urls = self.urls(of: server, hasHLS: configuration.hls != nil)
        let reload: @Sendable () -> Void = { server.reload() }
        try await Interruption.run(
            server, reload: server.canReload ? reload : nil, logger: logger
        ) {
            for url in urls { print(url) }
            fflush(nil)
            ProgramText.release()
        }
    }

    /// Warns about each file that SIGHUP is to read again and that the server's new user cannot
    /// read.
    private func tellUnreadable(
        _ configuration: ServerConfiguration, _ user: String, _ logger: Logger
    ) {
        let files = [
            configuration.access.streamKeyFile, configuration.access.playKeyFile,
            configuration.tls?.certificate, configuration.tls?.key,
        ].compactMap(\.self)
        for file in files where Glibc.access(file, R_OK) != 0 {
            logger.warning(
                "'\(user)' cannot read \(file.printable): it holds, but SIGHUP will not read it again; let that user read it"
            )
        }
    }

    /// Returns the URLs of the server.
    private func urls(of server: RelayServer, hasHLS: Bool) -> [String] {
        var urls = ["rtmp://\(host):\(server.rtmpPort)/live/<stream>"]
        if let port = server.rtmpsPort { urls.append("rtmps://\(host):\(port)/live/<stream>") }
        let ports = [("http", server.httpPort), ("https", server.httpsPort)]
        for case (let scheme, let port?) in ports {
            let site = "\(scheme)://\(host):\(port)"
            urls.append("\(site)/live/<stream>.flv")
            if hasHLS {
                urls.append("\(site)/hls/live/<stream>/index.m3u8")
                urls.append("\(site)/hls/live/<channel>/master.m3u8")
            }
            if server.apiPort == nil {
                urls += ["\(site)/api/v1/status", "\(site)/metrics"]
            }
        }
        if let port = server.apiPort {
            let site = "http://\(apiHost ?? host):\(port)"
            urls += ["\(site)/api/v1/status", "\(site)/metrics"]
        }
        return urls
    }
}

extension ServerConfiguration.TakeoverPolicy: ExpressibleByArgument {}
extension ServerConfiguration.EarlyPlayPolicy: ExpressibleByArgument {}
extension BufferModel: ExpressibleByArgument {}
