/// The threads that write to receivers, if the event loops do not.
///
/// The bytes, and every decision about them (the cache of joining players, queue limits, dropped
/// frames), are the same in all models: only the thread that calls `send` differs.
public enum SenderModel: String, Sendable, Codable, CaseIterable {
    /// One event loop reads, and each receiver (player or push target) has a thread of its own.
    case perSession = "per-session"
    /// One event loop reads, and the receivers of each stream share a thread.
    case perStream = "per-stream"
}

/// The memory of what is sent.
public enum BufferModel: String, Sendable, Codable, CaseIterable {
    /// All receivers send the same bytes, which are in memory once.
    case shared
    /// Each receiver has a copy of everything that is sent to it.
    case copy
}
