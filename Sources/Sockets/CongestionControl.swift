import CLinux
import Glibc
public import NIOCore

/// A TCP congestion control algorithm by its kernel name, for example `cubic`.
public struct CongestionControl: Sendable, Hashable {
    public var name: String

    public init(_ name: String) { self.name = name }

    /// Algorithms that this kernel lets any process use.
    public static var available: [String] {
        guard let file = fopen("/proc/sys/net/ipv4/tcp_allowed_congestion_control", "r") else {
            return []
        }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, Int32(line.count), file) != nil else { return [] }
        let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self).split { $0.isWhitespace }.map(String.init)
    }

    /// Sets the algorithm on a TCP socket. Returns false if that is not possible (`errno` has the
    /// reason).
    public func apply(toSocket descriptor: Int32) -> Bool {
        setsockopt(
            descriptor, Int32(IPPROTO_TCP), Int32(millrace_TCP_CONGESTION), name,
            socklen_t(name.utf8.count)) == 0
    }

    /// Sets the algorithm on a channel; accepted connections inherit the listening channel's
    /// algorithm. The future fails with `CongestionControlError` if the kernel does not know the
    /// algorithm or this process must not use it.
    public func apply(to channel: any Channel) -> EventLoopFuture<Void> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeSucceededVoidFuture()
        }
        // The kernel reads up to 15 bytes and stops at a zero.
        var value: (UInt64, UInt64) = (0, 0)
        withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: name.utf8.prefix(15)) }
        return provider.unsafeSetSocketOption(
            level: .tcp, name: .init(rawValue: CInt(millrace_TCP_CONGESTION)), value: value
        ).flatMapErrorThrowing { [name] _ in throw CongestionControlError(name: name) }
    }
}

/// Error for a congestion control that cannot be used.
public struct CongestionControlError: Error, Sendable, CustomStringConvertible {
    public var name: String

    public init(name: String) { self.name = name }

    public var description: String {
        "the congestion control '\(name)' is not to be had here; it takes "
            + CongestionControl.available.joined(separator: ", ")
    }
}
