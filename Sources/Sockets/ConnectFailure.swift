import Glibc
import NIOCore
import NIOPosix

/// Reason why a connection attempt failed, in the system's plain words.
public func connectFailure(_ error: any Error) -> String {
    if let failure = error as? NIOConnectionError {
        if let first = failure.connectionErrors.first { return connectFailure(first.error) }
        return "the host '\(failure.host)' is not known"
    }
    if error is SocketAddressError { return "the host is not known" }
    if let failure = error as? IOError { return String(cString: strerror(failure.errnoCode)) }
    return "\(error)"
}

/// Whether the host was reached and refused the connection, so that the user should check whether
/// the server runs.
public func isRefusal(_ error: any Error) -> Bool {
    if let failure = error as? NIOConnectionError {
        return failure.connectionErrors.first.map { isRefusal($0.error) } ?? false
    }
    return (error as? IOError)?.errnoCode == ECONNREFUSED
}
