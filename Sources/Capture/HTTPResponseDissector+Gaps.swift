import HTTPWire

/// Stretches of a response that were not captured.
extension HTTPResponseDissector {
    /// Passes over missing bytes. False where an FLV body cannot be followed any more.
    mutating func gap(_ length: Int) -> Bool {
        position += length
        text = []
        spans.spoil()
        if case .playlist = body { body = .other }
        func flvGoesOn() -> Bool {
            // What a decoder has missed it cannot do without.
            if case .flv = body { decoder == nil && flv.gap(length) } else { true }
        }
        let next = if case .header = state { requests.first } else { current }
        switch (state, body) {
        // What was asked for as HTTP-FLV lacks its beginning, or the head of its answer.
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

    /// Goes on where chunks are found again. False where none are.
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
            // When these bytes came is not known any more: no message of them counts.
            return rest.withUnsafeBytes { receive($0, time: time) { _ in } }
        }
    }
}
