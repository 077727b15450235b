import Glibc
import NIOCore
import NIOPosix

/// Why a connection attempt failed, in the system's plain words.
public func connectFailure(_ error: any Error) -> String {
    if let failure = error as? NIOConnectionError {
        if let first = failure.connectionErrors.first { return connectFailure(first.error) }
        return "cannot resolve '\(failure.host)'"
    }
    if let failure = error as? IOError { return String(cString: strerror(failure.errnoCode)) }
    return "\(error)"
}
