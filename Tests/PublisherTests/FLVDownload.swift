import Glibc
import Media
import NIOCore
import Server
import Testing

/// An HTTP-FLV download from the relay, tag by tag.
final class FLVDownload {
    private let fd: Int32
    private var head: [UInt8]? = []
    private var tags = FLVReader()

    init(_ server: RelayServer, _ path: String) throws {
        fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(try #require(server.httpPort)).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(fd, $0, size) }
        }
        try #require(code == 0)
        let request = Array("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        try #require(send(fd, request, request.count, Int32(MSG_NOSIGNAL)) == request.count)
        _ = fcntl(fd, F_SETFL, O_NONBLOCK)
    }

    deinit { close(fd) }

    /// The next tag; nil where the server has closed.
    func next() async throws -> FLVTag? {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            if head == nil, let tag = try tags.next() { return tag }
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = recv(fd, &buffer, buffer.count, 0)
            if count > 0 {
                take(buffer[..<count])
            } else if count == 0 || errno != EAGAIN {
                return nil
            } else {
                try #require(ContinuousClock.now < deadline, "nothing comes")
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    private func take(_ bytes: ArraySlice<UInt8>) {
        guard var head else { return tags.append(ByteBuffer(bytes: bytes)) }
        head += bytes
        self.head = head
        guard let end = head.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
        self.head = nil
        tags.append(ByteBuffer(bytes: head[end.upperBound...]))
    }

    /// The next tag that is an audio or video frame, headers and metadata aside.
    func frame() async throws -> FLVTag? {
        while let tag = try await next() {
            switch tag.type {
            case .video where VideoTagHeader.parse(tag.payload)?.isSequenceHeader == false:
                return tag
            case .audio where AudioTagHeader.parse(tag.payload)?.isSequenceHeader == false:
                return tag
            default: continue
            }
        }
        return nil
    }
}

/// Shuts down every connection that this process has accepted on a port, as a broken network.
func cutConnections(acceptedOn port: Int) -> Int {
    var cut = 0
    for fd in Int32(3)..<4096 {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let local = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &size) }
        }
        guard local == 0, Int(in_port_t(bigEndian: address.sin_port)) == port else { continue }
        let peer = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(fd, $0, &size) }
        }
        if peer == 0, shutdown(fd, Int32(SHUT_RDWR)) == 0 { cut += 1 }
    }
    return cut
}
