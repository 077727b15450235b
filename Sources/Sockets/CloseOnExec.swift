import Glibc
public import NIOCore

extension Channel {
    /// Keeps the channel's descriptor out of programs started later (an encoder, a server): NIO
    /// opens sockets without close-on-exec. The caller must be on the channel's event loop.
    public func setCloseOnExec() {
        try? pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            _ = fcntl($0, F_SETFD, FD_CLOEXEC)
        }
    }
}
