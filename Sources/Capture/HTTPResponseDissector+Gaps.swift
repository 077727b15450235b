/// Handling of stretches of a response that were not captured.
extension HTTPResponseDissector {
    /// Skips missing bytes. Returns false if an FLV body cannot be followed further.
    mutating func gap(_ length: Int) -> Bool {
        position += length
        text = []
        spans.spoil()
        if case .playlist = body { body = .other }
        func flvGoesOn() -> Bool {
            // A decoder cannot continue after bytes that it has missed.
            if case .flv = body { decoder == nil && flv.gap(length) } else { true }
        }
        let next = if case .header = state { requests.first } else { current }
        switch (state, body) {
        // A response that was requested as HTTP-FLV lacks its beginning or its head.
        case (.header, _) where next?.isFLV ?? false, (_, .undecided) where next?.isFLV ?? false:
            return false
        default: break
        }
        switch state {
        case .length(let left) where length <= left:
            if length == left { endResponse() } else { state = .length(left - length) }
            return flvGoesOn()
        case .rest: return flvGoesOn()
        case .chunk(let left) where length < left:
            state = .chunk(left: left - length)
            return flvGoesOn()
        case .chunk, .chunkSize, .chunkEnd, .seekingChunk:
            guard case .flv = body else { break }
            guard decoder == nil, flv.beginSearch() else { return false }
            line = []
            search = ChunkSearch()
            state = .seekingChunk
            return true
        default: break
        }
        if case .flv = body { return false }
        lose()
        return true
    }

    /// Continues at the next chunk that is found. Returns false if there is none.
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
            state = .chunk(left: size)
            // The arrival time of these bytes is no longer known, so no message of them counts.
            return rest.withUnsafeBytes { receive($0, time: time) { _ in } }
        }
    }
}
