/// Entry points for a fuzzer: each traps only if a parser contradicts itself.
public enum HLSFuzz {
    /// A playlist: what is read can be written and read again to the same value; a delta update
    /// merges back to the whole.
    public static func fuzzPlaylist(_ bytes: UnsafeRawBufferPointer) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let playlist = try? HLSPlaylist.parse(text) else { return }
        if case .multivariant(let own) = playlist, own.variants.isEmpty, own.renditions.isEmpty,
            own.iFrameStreams.isEmpty
        {
            // It had nothing but renditions of unknown types: what is left has no kind.
            return
        }
        let written = playlist.text
        guard let again = try? HLSPlaylist.parse(written) else {
            preconditionFailure("what was written cannot be read:\n\(written)")
        }
        precondition(again == playlist, "a playlist does not survive a round trip:\n\(written)")
        guard case .media(let media) = playlist, media.skippedSegments == nil,
            !media.segments.isEmpty
        else { return }
        let delta = media.skipping((media.segments.count + 1) / 2)
        guard var merged = try? media.merging(delta: delta) else {
            preconditionFailure("a delta update of a playlist does not merge with it")
        }
        merged.version = media.version
        precondition(merged == media, "a delta update merges to another playlist")
    }
}
