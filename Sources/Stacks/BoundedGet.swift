import Dispatch
import Glibc
import HTTPWire
import Sockets

/// Reads one resource over HTTP/1.1 without TLS, within a time and a number of bytes. Redirects are
/// answers like any other. The host's addresses are looked up once.
struct BoundedGet: Sendable {
    struct Fault: Error, Hashable, CustomStringConvertible {
        var description: String
    }

    struct Answer: Hashable, Sendable {
        var status: Int
        var body: [UInt8]

        var isSuccess: Bool { (200..<300).contains(status) }
    }

    /// An address of the host, as getaddrinfo(3) returns it.
    private struct Address: Sendable {
        var family: Int32
        var bytes: [UInt8]
    }

    let url: HTTPURL
    private let addresses: [Address]

    /// Looks up the host; blocks until the answer is there.
    ///
    /// - Throws: `Fault` for a URL that cannot be read and for a host without an address.
    init(_ text: String) throws(Fault) {
        do {
            url = try HTTPURL(text)
        } catch {
            throw Fault(description: "\(error)")
        }
        guard !url.isSecure else {
            throw Fault(description: "'\(text)' is read without TLS; give an http:// URL")
        }
        addresses = Self.addresses(host: url.host, port: url.port)
        guard !addresses.isEmpty else {
            throw Fault(description: "the host '\(url.host)' has no address")
        }
    }

    private static func addresses(host: String, port: Int) -> [Address] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [Address] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            guard let address = entry.ai_addr else { continue }
            let bytes = UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen))
            found.append(Address(family: entry.ai_family, bytes: [UInt8](bytes)))
        }
        return found
    }

    /// Reads the resource on a thread of its own.
    ///
    /// - Parameters:
    ///   - limit: Most bytes of the body.
    /// - Throws: `Fault` if no whole answer of that size comes in that time.
    func get(within time: Duration, limit: Int) async throws(Fault) -> Answer {
        let nanoseconds = min(max(time / .nanoseconds(1), 0), 3.6e12)
        let deadline = Clock.monotonicNanoseconds() + Int64(nanoseconds)
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Answer, Fault>, Never>) in
            DispatchQueue.global().async {
                continuation.resume(returning: self.read(until: deadline, limit: limit))
            }
        }
        return try result.get()
    }

    private func read(until deadline: Int64, limit: Int) -> Result<Answer, Fault> {
        var last = Fault(description: "the host '\(url.host)' has no address")
        for address in addresses {
            do throws(Fault) {
                return .success(try exchange(with: address, until: deadline, limit: limit))
            } catch {
                last = error
            }
        }
        return .failure(last)
    }

    private func fault(_ words: String) -> Fault { Fault(description: "\(url.authority) \(words)") }

    private func exchange(
        with address: Address, until deadline: Int64, limit: Int
    ) throws(Fault) -> Answer {
        let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        let descriptor = socket(address.family, Int32(type), 0)
        guard descriptor >= 0 else { throw fault("cannot be reached: \(Self.reason(errno))") }
        defer { close(descriptor) }
        try connect(descriptor, to: address, until: deadline)
        try send(descriptor, until: deadline)
        return try receive(descriptor, until: deadline, limit: limit)
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }

    private func connect(
        _ descriptor: Int32, to address: Address, until deadline: Int64
    ) throws(Fault) {
        let status = address.bytes.withUnsafeBytes { bytes -> Int32 in
            guard let start = bytes.baseAddress else { return -1 }
            return Glibc.connect(
                descriptor, start.assumingMemoryBound(to: sockaddr.self),
                socklen_t(bytes.count))
        }
        guard status != 0 else { return }
        guard errno == EINPROGRESS else { throw fault("cannot be reached: \(Self.reason(errno))") }
        try wait(descriptor, for: Int16(POLLOUT), until: deadline)
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0, code == 0 else {
            throw fault("cannot be reached: \(Self.reason(code))")
        }
    }

    private func send(_ descriptor: Int32, until deadline: Int64) throws(Fault) {
        var request = HTTPRequest(url, agent: "millrace")
        request.closesAfterwards = true
        var rest = request.bytes[...]
        while !rest.isEmpty {
            try wait(descriptor, for: Int16(POLLOUT), until: deadline)
            let sent = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent < 0, errno == EINTR || errno == EAGAIN { continue }
            guard sent > 0 else { throw fault("takes no request: \(Self.reason(errno))") }
            rest = rest.dropFirst(sent)
        }
    }

    private func receive(
        _ descriptor: Int32, until deadline: Int64, limit: Int
    ) throws(Fault) -> Answer {
        var reader = HTTPResponseReader()
        var answer = Answer(status: 0, body: [])
        var hasEnded = false
        var isTooLong = false
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while !hasEnded {
            try wait(descriptor, for: Int16(POLLIN), until: deadline)
            let count = chunk.withUnsafeMutableBytes {
                Glibc.recv(descriptor, $0.baseAddress, $0.count, 0)
            }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else {
                guard count == 0, reader.closed() else {
                    throw fault("closed the connection before the end of its answer")
                }
                return answer
            }
            do {
                try chunk.withUnsafeBytes { bytes in
                    let bytes = UnsafeRawBufferPointer(rebasing: bytes[..<count])
                    try reader.receive(bytes) { event in
                        switch event {
                        case .head(let head): answer.status = head.status
                        case .body(let range):
                            isTooLong = isTooLong || answer.body.count + range.count > limit
                            if !isTooLong { answer.body.append(contentsOf: bytes[range]) }
                        case .end: hasEnded = true
                        }
                    }
                }
            } catch {
                throw fault("sends no HTTP answer: \(error)")
            }
            guard !isTooLong else { throw fault("answers with more than \(limit) bytes") }
        }
        return answer
    }

    /// Waits until the descriptor is ready.
    private func wait(
        _ descriptor: Int32, for events: Int16, until deadline: Int64
    ) throws(Fault) {
        while true {
            let left = deadline - Clock.monotonicNanoseconds()
            guard left > 0 else { throw fault("did not answer in time") }
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            let milliseconds = Int32(min(left / 1_000_000 + 1, 3_600_000))
            if poll(&entry, 1, milliseconds) > 0 { return }
        }
    }
}
