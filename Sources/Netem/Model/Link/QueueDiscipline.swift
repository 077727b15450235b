/// Limit on the packets that may wait.
public enum QueueLimit: Sendable, Hashable {
    /// A number of bytes, with the link's overhead per packet.
    case bytes(Int)
    case packets(Int)

    func check() throws(LinkError) {
        switch self {
        case .bytes(let n), .packets(let n):
            guard n > 0 else {
                throw LinkError("the queue's limit is \(n); it takes at least one byte or packet")
            }
        }
    }
}

/// Rule for which packets wait and which are dropped. A packet that is being sent no longer counts
/// as waiting.
public enum QueueDiscipline: Sendable, Hashable {
    case infinite
    /// A packet that does not fit is dropped.
    case dropTail(QueueLimit)
    /// The oldest packets are dropped to make room.
    case dropHead(QueueLimit)
    /// CoDel (RFC 8289); a packet beyond the limit is dropped as by `dropTail`.
    case coDel(CoDelParameters = .init(), limit: QueueLimit? = nil)
    /// PIE (RFC 8033); a packet beyond the limit is dropped as by `dropTail`.
    case pie(PIEParameters = .init(), limit: QueueLimit? = nil)

    func check() throws(LinkError) {
        switch self {
        case .infinite: break
        case .dropTail(let limit), .dropHead(let limit): try limit.check()
        case .coDel(let parameters, let limit):
            try parameters.check()
            try limit?.check()
        case .pie(let parameters, let limit):
            try parameters.check()
            try limit?.check()
        }
    }
}
