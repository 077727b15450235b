import HTTPWire

/// Handling of bytes of a response that were not captured.
extension HTTPResponseDissector {
    /// Skips `length` missing bytes. Returns false if an FLV body cannot be followed any further.
    mutating func gap(_ length: Int) -> Bool {
        position += length
        text = []
        spans.spoil()
        if case .playlist = body { body = .other }
        func flvGoesOn() -> Bool {
            // A content decoder cannot continue after missing bytes.
            if case .flv = body { decoder == nil && flv.gap(length) } else { true }
        }
        let next = if case .header = state { requests.first } else { current }
        switch (state, body) {
        // An HTTP-FLV response cannot be followed without its head and the beginning of its body.
        case (.header, _) where next?.isFLV ?? false, (_, .undecided) where next?.isFLV ?? false:
            return false
        default: break
        }
        var isAmongChunks = false
        switch state {
        case .body(var framing):
            if framing.skip(length) {
                state = .body(framing)
                if framing.remaining == 0 { endResponse() }
                return flvGoesOn()
            }
            isAmongChunks = framing.expectsChunks
        case .seekingChunk: isAmongChunks = true
        case .header, .lost: break
        }
        if isAmongChunks, case .flv = body {
            guard decoder == nil, flv.beginSearch() else { return false }
            search = ChunkSearch()
            state = .seekingChunk
            return true
        }
        if case .flv = body { return false }
        lose()
        return true
    }

    /// Searches for the next chunk of an FLV body and continues there. Returns false if the search
    /// fails or the body is invalid after it.
    mutating func seekChunk(_ bytes: UnsafeRawBufferPointer, _ time: Int64) -> Bool {
        switch search.append(bytes) {
        case .waiting: return true
        case .failed:
            search = ChunkSearch()
            return false
        case .found(let offset, let size):
            let rest = Array(search.bytes[offset...])
            search = ChunkSearch()
            position -= rest.count
            state = .body(HTTPBodyFraming(insideChunk: size))
            // The arrival times of these bytes are no longer known, so their messages do not count.
            return rest.withUnsafeBytes { receive($0, time: time) { _ in } }
        }
    }
}
