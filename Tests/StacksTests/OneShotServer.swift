import Foundation
import Glibc
import Testing

/// A server on a free port that answers each connection's request with the same bytes and closes
/// the connection, as long as the tests run.
final class OneShotServer: Sendable {
    let port: Int

    /// - Parameter answer: Bytes that are sent after a request's head; nil = nothing is sent, and
    ///   the connection stays open.
    init(_ answer: [UInt8]?) throws {
        signal(SIGPIPE, SIG_IGN)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(listener >= 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, $0, &size) == 0
            }
        }
        try #require(isBound)
        port = Int(UInt16(bigEndian: address.sin_port))
        let thread = Thread {
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                var byte: UInt8 = 0
                var end: [UInt8] = []
                while end != [13, 10, 13, 10], recv(connection, &byte, 1, 0) == 1 {
                    end = Array((end + [byte]).suffix(4))
                }
                // A connection without an answer stays open until the test process ends.
                guard let answer else { continue }
                var rest = answer[...]
                while !rest.isEmpty {
                    let sent = rest.withUnsafeBytes { write(connection, $0.baseAddress, $0.count) }
                    guard sent > 0 else { break }
                    rest = rest.dropFirst(sent)
                }
                close(connection)
            }
        }
        thread.start()
    }

    convenience init(status: Int = 200, body: String) throws {
        let head = "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        try self.init(Array((head + body).utf8))
    }

    var url: String { "http://127.0.0.1:\(port)/metrics" }
}
