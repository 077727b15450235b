import Foundation
import Glibc
package import Processes
package import Server
import Synchronization

/// nginx with `proxy_cache` as an edge. nginx writes its access log line by line, so the log says
/// what the cache did even if nginx was killed.
package final class NginxEdge: EdgeProcess {
    package struct Options: Sendable {
        /// Address on which nginx listens.
        var host = "127.0.0.1"
        /// Port on which nginx listens; 0 = any.
        package var port = 0
        /// Address of the origin, `host:port`.
        var origin: String
        var cacheBytes: Int
        var cpus: CPUSet?
        var logPath: String

        package init(
            host: String = "127.0.0.1", port: Int = 0, origin: String, cacheBytes: Int,
            cpus: CPUSet? = nil, logPath: String
        ) {
            self.host = host
            self.port = port
            self.origin = origin
            self.cacheBytes = cacheBytes
            self.cpus = cpus
            self.logPath = logPath
        }
    }

    private let nginx: NginxProcess
    private let log: Mutex<NginxEdgeLog>

    /// Starts nginx and waits until it listens.
    ///
    /// - Throws: `ProcessError` if nginx is missing or does not come up.
    package init(name: String, _ options: Options) async throws(ProcessError) {
        nginx = try await NginxProcess(
            .init(
                name: name,
                hint: "install it with: apt-get install nginx-light, or take edges without driver",
                ports: [options.port == 0 ? nil : options.port], cpus: options.cpus,
                logPath: options.logPath)
        ) { ports, directory in
            Self.configuration(options, port: ports[0], directory: directory)
        }
        log = Mutex(NginxEdgeLog(path: "\(nginx.directory)/access.log"))
    }

    package var port: Int { nginx.ports[0] }
    package var pid: Int32 { nginx.process.pid }
    package var failure: String? { nginx.process.exitStatus.map { "\($0)" } }
    package var latest: EdgeStatus { log.withLock { $0.read() } }

    package func finish() async -> EdgeStatus? {
        await nginx.end()
        defer { nginx.removeFiles() }
        return latest
    }

    /// Returns the configuration. The origin's own words on an object's lifetime hold. If it says
    /// nothing, media stay for ten minutes and playlists for a second. Requests for an object that
    /// is being fetched wait for it.
    private static func configuration(_ options: Options, port: Int, directory: String) -> String {
        """
        daemon off;
        worker_processes 1;
        \(NginxDirectory.userDirective)
        pid \(NginxDirectory.quoted("\(directory)/nginx.pid"));
        error_log \(NginxDirectory.quoted("\(directory)/error.log")) warn;
        worker_rlimit_nofile 65536;
        events { worker_connections 32768; }
        http {
            log_format cache '$upstream_cache_status|$status|$body_bytes_sent|$upstream_status|$upstream_response_length|$uri';
            access_log \(NginxDirectory.quoted("\(directory)/access.log")) cache;
            \(NginxDirectory.http(directory))
            proxy_cache_path \(NginxDirectory.quoted("\(directory)/cache")) levels=1:2 keys_zone=edge:16m
                max_size=\(options.cacheBytes >> 10)k inactive=10m use_temp_path=off;
            upstream origin {
                server \(options.origin);
                keepalive 128;
            }
            server {
                listen \(options.host):\(port);
                proxy_http_version 1.1;
                proxy_set_header Connection "";
                proxy_read_timeout 30s;
                proxy_cache edge;
                proxy_cache_key $uri$is_args$args;
                proxy_cache_lock on;
                proxy_cache_lock_timeout 30s;
                proxy_cache_lock_age 30s;
                location / {
                    proxy_pass http://origin;
                    proxy_cache_valid 200 10m;
                    proxy_cache_valid 404 1s;
                }
                location ~ \\.m3u8?$ {
                    proxy_pass http://origin;
                    proxy_cache_valid 200 404 1s;
                }
            }
        }

        """
    }
}

/// Counts of nginx's cache, read from its access log.
struct NginxEdgeLog: Sendable {
    private let path: String
    private var offset: UInt64 = 0
    /// Bytes of a line that is not whole yet.
    private var rest: [UInt8] = []
    private(set) var status = EdgeStatus(origin: "")

    init(path: String) { self.path = path }

    /// Number of bytes of one line that are kept.
    private static let lineLimit = 8192

    /// Reads what was added since the last call, and returns all counts.
    mutating func read() -> EdgeStatus {
        guard let file = FileHandle(forReadingAtPath: path) else { return status }
        defer { try? file.close() }
        try? file.seek(toOffset: offset)
        while let data = try? file.read(upToCount: 1 << 16), !data.isEmpty {
            offset += UInt64(data.count)
            receive(data)
        }
        return status
    }

    mutating func receive(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            guard byte == UInt8(ascii: "\n") else {
                if rest.count < Self.lineLimit { rest.append(byte) }
                continue
            }
            count(String(decoding: rest, as: UTF8.self))
            rest.removeAll(keepingCapacity: true)
        }
    }

    /// Counts a line of the form
    /// `<cache status>|<status>|<body bytes>|<upstream statuses>|<upstream lengths>|<path>`.
    /// Several values of an upstream are separated by commas; `-` means that there is none.
    private mutating func count(_ line: String) {
        let fields = line.split(separator: "|", maxSplits: 5, omittingEmptySubsequences: false)
        guard fields.count == 6 else { return }
        func values(_ field: Substring) -> [Int] {
            field.split { ", :".contains($0) }.compactMap { Int($0) }
        }
        let kind = EdgeKind(file: fields[5].split(separator: "/").last ?? "")
        var counts = status.kinds[kind.rawValue] ?? .init()
        counts.requests += 1
        // In the log, a request that waited for another's fetch looks like any other hit. A
        // client that left while it waited is a MISS in the log, but the origin was not asked.
        switch fields[0] {
        case "HIT", "STALE", "UPDATING": counts.hits += 1
        case "-": counts.refused += 1
        case "MISS" where values(fields[3]).isEmpty: counts.hits += 1
        default: counts.misses += 1
        }
        if let answer = Int(fields[1]), (502...504).contains(answer) { counts.failures += 1 }
        counts.clientBytes += Int(fields[2]) ?? 0
        counts.originRequests += values(fields[3]).count
        counts.originBytes += values(fields[4]).reduce(0, +)
        status.kinds[kind.rawValue] = counts
    }
}
