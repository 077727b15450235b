import Glibc
import NIOCore
import Synchronization

/// Processes that are this server's encoders. They need no secret, which others could read in their
/// arguments: a connection belongs to an encoder if the encoder's process holds the other end.
final class EncoderRegistry: Sendable {
    private struct Encoder: Sendable {
        var source: String
        var outputs: Set<String>
    }

    private let encoders = Mutex<[pid_t: Encoder]>([:])

    /// - Parameters:
    ///   - pid: Number of the process, which leads its group.
    ///   - source: Stream that it plays, `<app>/<stream>`.
    ///   - outputs: Streams that it publishes.
    func started(_ pid: pid_t, source: String, outputs: [String]) {
        encoders.withLock { $0[pid] = Encoder(source: source, outputs: Set(outputs)) }
    }

    func ended(_ pid: pid_t) { encoders.withLock { $0[pid] = nil } }

    /// Whether an encoder is at the other end of a connection, and requests one of its own streams.
    func owns(_ channel: any Channel, _ name: String) -> Bool {
        let pids = encoders.withLock { encoders in
            encoders.filter { $0.value.source == name || $0.value.outputs.contains(name) }.map(
                \.key)
        }
        guard !pids.isEmpty, let local = channel.localAddress, let peer = channel.remoteAddress,
            Self.isOfThisMachine(peer, local)
        else { return false }
        return pids.contains { ProcessSockets.holds($0, from: peer, to: local) }
    }
}

extension EncoderRegistry {
    /// Whether the peer runs on this machine, as encoders do. Only then /proc is read, which takes
    /// the longer the more connections there are.
    fileprivate static func isOfThisMachine(_ peer: SocketAddress, _ local: SocketAddress) -> Bool {
        guard let address = peer.ipAddress else { return false }
        return address == local.ipAddress || AddressRange.isLoopback(address)
    }
}

/// Sockets of a process, from /proc.
enum ProcessSockets {
    /// Whether the process, or one of its group, has a TCP connection between two addresses.
    static func holds(_ leader: pid_t, from: SocketAddress, to: SocketAddress) -> Bool {
        guard let ends = ends(from, to) else { return false }
        let inodes = inodes(between: ends, from.protocol == .inet6 ? "tcp6" : "tcp")
        guard !inodes.isEmpty else { return false }
        if has(leader, inodes) { return true }
        return group(of: leader).contains { $0 != leader && has($0, inodes) }
    }

    /// Returns both ends in the form of a line of /proc/net/tcp.
    private static func ends(_ from: SocketAddress, _ to: SocketAddress) -> String? {
        guard let from = end(from), let to = end(to) else { return nil }
        return " \(from) \(to) "
    }

    private static func end(_ address: SocketAddress) -> String? {
        guard let port = address.port, let text = address.ipAddress else { return nil }
        let isIPv6 = address.protocol == .inet6
        var words = [UInt32](repeating: 0, count: isIPv6 ? 4 : 1)
        guard inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, &words) == 1 else { return nil }
        return words.map { hex(Int($0), 8) }.joined() + ":" + hex(port, 4)
    }

    private static func hex(_ value: Int, _ width: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    /// Returns the sockets of that connection. The table is read piece by piece, because it may be
    /// long.
    private static func inodes(between ends: String, _ table: String) -> Set<Substring> {
        guard let file = fopen("/proc/self/net/\(table)", "re") else { return [] }
        defer { fclose(file) }
        var inodes: Set<Substring> = []
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, file) > 0, let text = line {
            guard strstr(text, ends) != nil else { continue }
            let fields = String(cString: text).split(separator: " ")
            if fields.count > 9 { inodes.insert(fields[9]) }
        }
        return inodes
    }

    private static func has(_ pid: pid_t, _ inodes: Set<Substring>) -> Bool {
        let folder = "/proc/\(pid)/fd"
        guard let directory = opendir(folder) else { return false }
        defer { closedir(directory) }
        var buffer = [CChar](repeating: 0, count: 64)
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            let count = readlink("\(folder)/\(name)", &buffer, buffer.count)
            guard count > 9 else { continue }
            let target = String(
                decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            guard target.hasPrefix("socket:["), target.hasSuffix("]") else { continue }
            if inodes.contains(target.dropFirst(8).dropLast()) { return true }
        }
        return false
    }

    private static func group(of leader: pid_t) -> [pid_t] {
        guard let directory = opendir("/proc") else { return [] }
        defer { closedir(directory) }
        var pids: [pid_t] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let pid = pid_t(name), getpgid(pid) == leader { pids.append(pid) }
        }
        return pids
    }
}
