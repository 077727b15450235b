import Glibc
import NIOCore
import Testing

@testable import Viewer

@Suite struct SocketConnectorTests {
    private func candidate(_ text: String, _ port: Int) throws -> SocketConnector.Candidate {
        let address = try SocketAddress(ipAddress: text, port: port)
        var candidate = SocketConnector.Candidate(
            family: address.protocol == .inet6 ? AF_INET6 : AF_INET)
        address.withSockAddr { pointer, size in
            candidate.length = socklen_t(size)
            withUnsafeMutableBytes(of: &candidate.address) {
                $0.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: size))
            }
        }
        return candidate
    }

    /// 'localhost' is ::1 and 127.0.0.1 on many machines, and a server listens on one of them.
    @Test func theAddressThatAnswersIsTaken() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        let any = try candidate("127.0.0.1", 0)
        let code = withUnsafePointer(to: any.address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, any.length)
            }
        }
        try #require(code == 0 && listen(listener, 5) == 0)
        let port = SocketConnector.localPort(listener)
        let (six, four) = (try candidate("::1", port), try candidate("127.0.0.1", port))
        #expect(SocketConnector.choice(of: [six, four]).family == AF_INET)
        #expect(SocketConnector.choice(of: [four, six]).family == AF_INET)
        // Nothing is tried where there is no choice.
        #expect(SocketConnector.choice(of: [six]).family == AF_INET6)
    }
}
