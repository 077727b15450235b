import Foundation
import Glibc
import Media
import Processes
import Scenario
import Server

/// Settings of an nginx with the RTMP module, and the text of its configuration file.
struct NginxConfiguration: Sendable, Hashable {
    /// Settings of nginx-rtmp's own HLS packager.
    struct HLS: Sendable, Hashable {
        var segmentSeconds: Double
        /// Seconds of media that a playlist lists.
        var windowSeconds: Double
        /// Renditions in the order of the multivariant playlist.
        var variants: [NginxVariant]
    }

    /// Application of the viewers, and application of the encoders' sources.
    static let application = "live"
    static let sourceApplication = "src"

    var host = "127.0.0.1"
    var workers = 1
    /// Size of outgoing chunks in bytes.
    var outChunkSize = 4096
    var modulePath: String
    var hls: HLS?
    /// URLs of the servers to which each stream of the viewers' application is pushed.
    var pushes: [String] = []
    /// Ladder that is made of every stream of the application `src`; nil if nothing is encoded.
    var ladder: LadderConfiguration?
    var ffmpegPath = "ffmpeg"

    /// Whether nginx has a master process. The cache manager, which removes HLS files, is started
    /// only by a master.
    var hasMaster: Bool { workers > 1 || hls != nil }
    /// Whether nginx starts processes of its own, which must not outlive it.
    var hasChildren: Bool { hasMaster || ladder != nil }

    /// Name of the folder for HLS files, in the folder of nginx's workers.
    static let hlsFolder = "hls"

    /// - Parameters:
    ///   - port: Port for RTMP.
    ///   - httpPort: Port for HLS files; unused if nothing is packaged.
    ///   - directory: Absolute path without `$`, see `NginxDirectory.problem`.
    func text(port: Int, httpPort: Int, directory: String) -> String {
        let work = NginxDirectory.work(directory)
        // There is no `rtmp_auto_push`, which relays between workers. A module that is loaded makes
        // its sockets after nginx has begun to watch sockets, so nobody accepts what comes there.
        return """
            daemon off;
            master_process \(hasMaster ? "on" : "off");
            worker_processes \(workers);
            \(NginxDirectory.userDirective)
            pid \(NginxDirectory.quoted("\(directory)/nginx.pid"));
            error_log \(NginxDirectory.quoted("\(directory)/error.log")) warn;
            load_module \(NginxDirectory.quoted(modulePath));
            worker_rlimit_nofile 65536;
            events { worker_connections 32768; }
            rtmp {
                access_log off;
                server {
                    listen \(host):\(port);
                    chunk_size \(outChunkSize);
                    application \(Self.application) {
                        live on;
                        wait_key on;
                        drop_idle_publisher 30s;
            \(pushDirectives)\(hlsDirectives(work))        }
            \(sources(port: port, work: work))    }
            }
            \(hls == nil ? "" : http(port: httpPort, directory: directory))
            """
    }

    /// One directive for each target. A URL without a stream stands for the stream's own name.
    private var pushDirectives: String {
        pushes.map { "            push \($0);\n" }.joined()
    }

    /// Directives for HLS. The module writes the multivariant playlist `<stream>.m3u8` for streams
    /// that end in one of the suffixes of `hls_variant`.
    private func hlsDirectives(_ work: String) -> String {
        guard let hls else { return "" }
        var lines = [
            "hls on;", "hls_path \(NginxDirectory.quoted("\(work)/\(Self.hlsFolder)"));",
            "hls_nested on;",
            "hls_fragment \(Self.time(hls.segmentSeconds));",
            "hls_playlist_length \(Self.time(hls.windowSeconds));",
        ]
        for variant in hls.variants {
            // The container adds its own bytes, and adds more of them if more of the payload is
            // audio. Segments deviate from the mean as far as the encoders' decoder buffer allows.
            let mean = variant.bitsPerSecond * 23 / 20
            lines.append(
                "hls_variant _\(variant.rendition) BANDWIDTH=\(variant.bitsPerSecond * 3 / 2) "
                    + "AVERAGE-BANDWIDTH=\(mean) "
                    + "RESOLUTION=\(variant.width)x\(variant.height) "
                    + "FRAME-RATE=\(variant.framesPerSecond).000;")
        }
        return lines.map { "            \($0)\n" }.joined()
    }

    /// Returns a time as nginx takes it, in whole milliseconds.
    private static func time(_ seconds: Double) -> String { "\(Int((seconds * 1000).rounded()))ms" }

    /// The application of the encoders' sources. `exec_push` starts an encoder when a source is
    /// published, and again 5 s after the encoder ended (`respawn`, on by default).
    private func sources(port: Int, work: String) -> String {
        guard let ladder else { return "" }
        let groups = ladder.mode == .single ? [ladder.renditions] : ladder.renditions.map { [$0] }
        let commands = groups.map { renditions in
            let command = EncoderCommand(
                host: host == "0.0.0.0" ? "127.0.0.1" : host, port: port,
                source: "\(Self.sourceApplication)/${name}", outputApplication: Self.application,
                ladder: ladder, renditions: renditions)
            let name = Self.encoder(of: "${name}", ladder.mode, renditions[0].name)
            // Each start writes a new file of progress; complaints of all starts go into one log.
            let pinning = ladder.cpus.map { ["/usr/bin/taskset", "-c", $0.description] } ?? []
            let words =
                pinning + [ffmpegPath] + command.arguments + [
                    "1>\(Self.progressPath(of: name, in: work))",
                    "2>>\(Self.logPath(of: name, in: work))",
                ]
            return
                "            exec_push \(words.map(NginxDirectory.quoted).joined(separator: " "));\n"
        }
        return """
                    application \(Self.sourceApplication) {
                        live on;
                        wait_key on;
                        drop_idle_publisher 30s;
                        exec_kill_signal term;
            \(commands.joined())        }

            """
    }

    /// Returns the name of an encoder's files: the stream key of its rendition, or the stream if
    /// one encoder makes all renditions.
    static func encoder(
        of stream: String, _ mode: LadderConfiguration.Mode, _ rendition: String
    ) -> String {
        mode == .single ? stream : "\(stream)_\(rendition)"
    }

    static func progressPath(of encoder: String, in work: String) -> String {
        "\(work)/\(encoder).progress"
    }

    static func logPath(of encoder: String, in work: String) -> String {
        "\(work)/\(encoder).log"
    }

    private func http(port: Int, directory: String) -> String {
        """
        http {
            access_log off;
            types { application/vnd.apple.mpegurl m3u8; video/mp2t ts; }
            \(NginxDirectory.http(directory))
            server {
                listen \(host):\(port);
                root \(NginxDirectory.quoted(NginxDirectory.work(directory)));
                location /\(Self.hlsFolder)/ {
                    add_header Cache-Control "public, max-age=60";
                    add_header Access-Control-Allow-Origin "*";
                    location ~ \\.m3u8$ {
                        add_header Cache-Control "no-cache";
                        add_header Access-Control-Allow-Origin "*";
                    }
                }
                location / { return 404; }
            }
        }

        """
    }
}
