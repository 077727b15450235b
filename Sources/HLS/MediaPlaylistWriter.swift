/// Writes the lines of a media playlist. A tag that stays in force is written only when it changes.
struct MediaPlaylistWriter {
    private(set) var text = ""
    private var map: MediaPlaylist.InitializationSection?
    private var key: MediaPlaylist.EncryptionKey?
    private var bitrate: Int?

    mutating func line(_ line: String) {
        text += line
        text += "\n"
    }

    mutating func tag(_ name: String, _ list: AttributeList) { line("#\(name):\(list.text)") }

    mutating func write(_ start: MediaPlaylist.StartPoint?) {
        guard let start else { return }
        var list = AttributeList()
        list.add("TIME-OFFSET", decimal: start.timeOffset)
        list.add("PRECISE", yes: start.isPrecise)
        tag("EXT-X-START", list)
    }

    /// Writes the tags that apply to a segment and to its parts.
    mutating func head(
        isDiscontinuity: Bool, key: MediaPlaylist.EncryptionKey?,
        map: MediaPlaylist.InitializationSection?,
        programDateTime: ProgramDateTime?
    ) {
        if isDiscontinuity { line("#EXT-X-DISCONTINUITY") }
        // The key that is in force at an EXT-X-MAP tag applies to its section.
        if let map, map != self.map, map.key == self.key { write(map) }
        if let key, key != self.key {
            var list = AttributeList()
            list.add("METHOD", key.method)
            list.add("URI", quoted: key.uri)
            if let vector = key.initializationVector { list.add("IV", vector) }
            list.add("KEYFORMAT", quoted: key.keyFormat)
            tag("EXT-X-KEY", list)
            self.key = key
        }
        if let map, map != self.map { write(map) }
        if let programDateTime { line("#EXT-X-PROGRAM-DATE-TIME:\(programDateTime)") }
    }

    private mutating func write(_ map: MediaPlaylist.InitializationSection) {
        var list = AttributeList()
        list.add("URI", quoted: map.uri)
        list.add("BYTERANGE", quoted: map.byteRange?.text)
        tag("EXT-X-MAP", list)
        self.map = map
    }

    mutating func write(_ segment: MediaPlaylist.Segment) {
        head(
            isDiscontinuity: segment.isDiscontinuity, key: segment.key, map: segment.map,
            programDateTime: segment.programDateTime)
        for part in segment.parts { write(part) }
        if let rate = segment.bitrateKilobits, rate != bitrate {
            line("#EXT-X-BITRATE:\(rate)")
            bitrate = rate
        }
        if segment.isGap { line("#EXT-X-GAP") }
        line("#EXTINF:\(PlaylistNumber.text(segment.duration)),\(segment.title)")
        if let range = segment.byteRange { line("#EXT-X-BYTERANGE:\(range.text)") }
        line(segment.uri)
    }

    mutating func write(_ part: MediaPlaylist.Part) {
        var list = AttributeList()
        list.add("DURATION", decimal: part.duration)
        list.add("URI", quoted: part.uri)
        list.add("BYTERANGE", quoted: part.byteRange?.text)
        list.add("INDEPENDENT", yes: part.isIndependent)
        list.add("GAP", yes: part.isGap)
        tag("EXT-X-PART", list)
    }

    mutating func write(_ hint: MediaPlaylist.PreloadHint) {
        var list = AttributeList()
        list.add("TYPE", hint.kind.rawValue)
        list.add("URI", quoted: hint.uri)
        if hint.byteRangeStart > 0 { list.add("BYTERANGE-START", integer: hint.byteRangeStart) }
        list.add("BYTERANGE-LENGTH", integer: hint.byteRangeLength)
        tag("EXT-X-PRELOAD-HINT", list)
    }

    mutating func write(_ report: MediaPlaylist.RenditionReport) {
        var list = AttributeList()
        list.add("URI", quoted: report.uri)
        if let sequence = report.lastSequence {
            list.add("LAST-MSN", MediaPlaylist.sequenceText(sequence))
        }
        list.add("LAST-PART", integer: report.lastPart)
        tag("EXT-X-RENDITION-REPORT", list)
    }
}
