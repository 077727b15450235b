import CLinux
import Glibc
import NIOCore
import Sockets

/// Non-blocking TCP connections with the options that a viewer needs before it connects.
struct SocketConnector {
    /// TCP_MAXSEG of a viewer behind a link, as on an Ethernet of MTU 1500. The 64 KiB segments of
    /// loopback would let the server's send buffer grow so far that the server would never notice
    /// the slow reader.
    static let segmentSize = 1460
    /// SO_RCVBUF of a viewer behind a link, in bytes (the kernel doubles it). With this size a
    /// cubic sender queues about as much as behind a real link of 2 Mbit/s, 20 ms and 64 KB (224 KB
    /// there, 165 to 350 KB here; up to 530 KB with a buffer of 64 KiB).
    static let shapedBuffer = 49152

    /// One of the addresses that a name has.
    struct Candidate {
        var address = sockaddr_storage()
        var length = socklen_t(0)
        var family = AF_INET
    }

    private let candidate: Candidate

    init(host: String, port: Int) throws {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = Int32(AI_NUMERICSERV)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0, list != nil else {
            throw ViewerError(
                description: "cannot resolve '\(host)': \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(list) }
        var candidates: [Candidate] = []
        var next = list
        while let entry = next, candidates.count < Self.mostCandidates {
            let entry = entry.pointee
            var candidate = Candidate(length: entry.ai_addrlen, family: entry.ai_family)
            withUnsafeMutableBytes(of: &candidate.address) {
                $0.copyMemory(
                    from: UnsafeRawBufferPointer(
                        start: entry.ai_addr, count: min($0.count, Int(entry.ai_addrlen))))
            }
            candidates.append(candidate)
            next = entry.ai_next
        }
        candidate = Self.choice(of: candidates)
    }

    private static let mostCandidates = 8
    private static let trialMilliseconds: Int32 = 1_000

    /// Returns the first address, or, if a name has addresses of both families, the first that
    /// accepts a connection. 'localhost' is ::1 on many machines, while servers may listen on
    /// 127.0.0.1 alone.
    static func choice(of candidates: [Candidate]) -> Candidate {
        let first = candidates.first ?? Candidate()
        guard candidates.contains(where: { $0.family != first.family }) else { return first }
        return candidates.first(where: takesConnections) ?? first
    }

    private static func takesConnections(_ candidate: Candidate) -> Bool {
        let type =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            | Int32(SOCK_CLOEXEC.rawValue)
        let fd = socket(candidate.family, type, 0)
        guard fd >= 0 else { return false }
        defer { close(fd) }
        if connect(fd, to: candidate) == 0 { return true }
        guard errno == EINPROGRESS else { return false }
        var waiting = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        return poll(&waiting, 1, trialMilliseconds) == 1 && pendingError(fd) == 0
    }

    private static func connect(_ fd: Int32, to candidate: Candidate) -> Int32 {
        withUnsafePointer(to: candidate.address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(fd, $0, candidate.length)
            }
        }
    }

    /// Starts a connection. `shaped` viewers get a segment size and a receive buffer with which the
    /// server notices the slow reader even over loopback.
    /// - Parameter local: IPv4 address to connect from; nil = the system's choice.
    func connect(
        congestionControl: String?, shaped: Bool, from local: String? = nil
    ) throws -> Int32 {
        let type =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            | Int32(SOCK_CLOEXEC.rawValue)
        let fd = socket(candidate.family, type, 0)
        guard fd >= 0 else { throw Self.failure("socket") }
        let tcp = Int32(IPPROTO_TCP)
        var failed = Self.set(fd, tcp, millrace_TCP_NODELAY, 1)
        if shaped {
            failed = failed || Self.set(fd, tcp, millrace_TCP_MAXSEG, Int32(Self.segmentSize))
            failed = failed || Self.set(fd, SOL_SOCKET, SO_RCVBUF, Int32(Self.shapedBuffer))
        }
        if let local, !Self.bind(fd, to: local) {
            let error = Self.failure("cannot connect from \(local)")
            close(fd)
            throw error
        }
        if let name = congestionControl {
            let code = name.withCString {
                setsockopt(fd, tcp, millrace_TCP_CONGESTION, $0, socklen_t(name.utf8.count))
            }
            guard code == 0 else {
                close(fd)
                throw ViewerError(description: CongestionControlError(name: name).description)
            }
        }
        let code = failed ? -1 : Self.connect(fd, to: candidate)
        guard code == 0 || (!failed && errno == EINPROGRESS) else {
            let error = Self.failure(failed ? "setsockopt" : "connect")
            close(fd)
            throw error
        }
        return fd
    }

    private static func bind(_ fd: Int32, to address: String) -> Bool {
        guard let local = try? SocketAddress(ipAddress: address, port: 0) else {
            errno = EINVAL
            return false
        }
        return local.withSockAddr { Glibc.bind(fd, $0, socklen_t($1)) == 0 }
    }

    static func set(_ fd: Int32, _ level: Int32, _ name: Int32, _ value: Int32) -> Bool {
        var value = value
        return setsockopt(fd, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) != 0
    }

    /// Returns the pending error of a connection attempt; 0 if the attempt succeeded.
    static func pendingError(_ fd: Int32) -> Int32 {
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size)
        return error
    }

    static func localPort(_ fd: Int32) -> Int {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &size) }
        }
        guard code == 0 else { return 0 }
        // The port has the same offset for IPv4 and IPv6.
        return withUnsafeBytes(of: &storage) { Int($0[2]) << 8 | Int($0[3]) }
    }

    static func failure(_ call: String) -> ViewerError {
        let hint = errno == EMFILE ? " (raise 'ulimit -n' or use more processes)" : ""
        return ViewerError(description: "\(call): \(String(cString: strerror(errno)))\(hint)")
    }
}
