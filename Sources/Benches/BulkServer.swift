import CLinux
import Glibc
import Sockets
import Synchronization

/// Endless HTTP-FLV for benches. One thread writes as much as the sockets accept, so each
/// connection is limited only by its reader.
final class BulkServer: Sendable {
    let port: Int
    private let listener: Int32
    private let congestionControl: String
    private let state = Mutex(State())

    private struct State {
        var stop = false
        var finished = false
        var connections: [Int32] = []
    }

    /// Bytes that are not yet sent or not yet acknowledged (SIOCOUTQ), one number for each
    /// connection.
    var queues: [Int] {
        state.withLock { $0.connections }.compactMap { fd in
            var bytes: Int32 = 0
            return millrace_outq(fd, &bytes) == 0 ? Int(bytes) : nil
        }
    }

    init(congestionControl: String) throws {
        self.congestionControl = congestionControl
        let stream = Int32(SOCK_STREAM.rawValue)
        listener = socket(
            AF_INET, stream | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard listener >= 0 else { throw BenchError("socket: \(String(cString: strerror(errno)))") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let fd = listener
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, length) == 0 && listen(fd, 4096) == 0
                    && getsockname(fd, $0, &length) == 0
            }
        }
        guard bound else {
            close(fd)
            throw BenchError("cannot listen: \(String(cString: strerror(errno)))")
        }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    func start() throws {
        try SystemThread.start(name: "bulk") { self.run() }
    }

    func stop() async {
        state.withLock { $0.stop = true }
        while !state.withLock({ $0.finished }) { try? await Task.sleep(for: .milliseconds(5)) }
    }

    // MARK: The thread

    private static let head =
        "HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n"
    private static let tagBytes = 60_000

    /// An FLV header, and a video tag that is repeated without end.
    private static var stream: (header: [UInt8], tag: [UInt8]) {
        let header: [UInt8] = Array("FLV".utf8) + [1, 1, 0, 0, 0, 9, 0, 0, 0, 0]
        let size = tagBytes
        let tag =
            [9, UInt8(size >> 16 & 255), UInt8(size >> 8 & 255), UInt8(size & 255)]
            + [0, 0, 0, 0, 0, 0, 0] + [0x27, 1] + [UInt8](repeating: 0, count: size - 2)
        let whole = UInt32(size + 11)
        return (header, tag + (0..<4).map { UInt8(whole >> (24 - 8 * UInt32($0)) & 255) })
    }

    private struct Connection {
        var fd: Int32
        var pending: [UInt8]
        var place = 0
    }

    private func run() {
        let (header, tag) = Self.stream
        let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        var event = epoll_event(
            events: UInt32(EPOLLIN.rawValue), data: epoll_data_t(u64: UInt64.max))
        epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event)
        var connections: [Connection] = []
        var events = [epoll_event](repeating: epoll_event(), count: 512)
        while !state.withLock({ $0.stop }) {
            let count = epoll_wait(epoll, &events, Int32(events.count), 50)
            for event in events[..<Int(max(0, count))] {
                if event.data.u64 == UInt64.max {
                    accept(epoll, header, &connections)
                } else {
                    write(&connections[Int(event.data.u64)], tag, epoll)
                }
            }
        }
        for connection in connections { close(connection.fd) }
        close(listener)
        close(epoll)
        state.withLock {
            $0.connections = []
            $0.finished = true
        }
    }

    private func accept(_ epoll: Int32, _ header: [UInt8], _ connections: inout [Connection]) {
        while true {
            let fd = Glibc.accept(listener, nil, nil)
            guard fd >= 0 else { return }
            _ = fcntl(fd, F_SETFL, O_NONBLOCK)
            _ = fcntl(fd, F_SETFD, FD_CLOEXEC)
            _ = congestionControl.withCString {
                setsockopt(
                    fd, Int32(IPPROTO_TCP), millrace_TCP_CONGESTION, $0,
                    socklen_t(congestionControl.utf8.count))
            }
            var event = epoll_event(
                events: UInt32(EPOLLOUT.rawValue),
                data: epoll_data_t(u64: UInt64(connections.count)))
            connections.append(Connection(fd: fd, pending: Array(Self.head.utf8) + header))
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)
            state.withLock { $0.connections.append(fd) }
        }
    }

    /// Writes until the socket accepts no more.
    private func write(_ connection: inout Connection, _ tag: [UInt8], _ epoll: Int32) {
        for _ in 0..<64 {
            if connection.place == connection.pending.count {
                connection.pending = tag
                connection.place = 0
            }
            let sent = connection.pending.withUnsafeBytes { bytes in
                send(
                    connection.fd, bytes.baseAddress! + connection.place,
                    bytes.count - connection.place, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else {
                if sent < 0, errno != EAGAIN, errno != EINTR {
                    epoll_ctl(epoll, EPOLL_CTL_DEL, connection.fd, nil)
                }
                return
            }
            connection.place += sent
        }
    }
}

/// Reason why a bench cannot run.
struct BenchError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
