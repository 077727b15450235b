/// One line of a playlist that has a meaning: a tag or a URI.
struct PlaylistLine {
    /// Line number from 1.
    let number: Int
    /// The tag's name without `#`, such as `EXTINF`; empty for a URI.
    let name: Substring
    /// Text after the tag's colon, or the URI.
    let value: Substring

    var isURI: Bool { name.isEmpty }

    /// Splits `text` after `#EXTM3U` into lines; comments and empty lines are skipped. Lines end
    /// with LF or CR LF (RFC 8216, 4.1).
    ///
    /// A byte order mark, and text behind `#EXTM3U`, are reported in `faults`: players skip them.
    static func all(
        of text: String, limits: PlaylistLimits, faults: inout PlaylistFaults
    ) throws(PlaylistError) -> [PlaylistLine] {
        guard text.utf8.count <= limits.bytes else {
            throw PlaylistError(
                .tooLarge, "the playlist has \(text.utf8.count) bytes, the limit is \(limits.bytes)"
            )
        }
        var lines: [PlaylistLine] = []
        var rest = text.utf8[...]
        var number = 0
        while !rest.isEmpty {
            number += 1
            guard number <= limits.lines else {
                throw PlaylistError(
                    .tooLarge, line: number, "the playlist has over \(limits.lines) lines")
            }
            let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
            let line = trimmed(rest[..<end])
            rest = end == rest.endIndex ? rest[end...] : rest[rest.index(after: end)...]
            guard line.count <= limits.lineBytes else {
                throw PlaylistError(
                    .tooLarge, line: number, "the line has over \(limits.lineBytes) bytes")
            }
            if number == 1 {
                try first(line, &faults)
                continue
            }
            guard let first = line.first else { continue }
            if first != UInt8(ascii: "#") {
                lines.append(PlaylistLine(number: number, name: "", value: Substring(line)))
            } else if line.starts(with: "#EXT".utf8) {
                let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
                let value =
                    colon == line.endIndex ? line[colon...] : line[line.index(after: colon)...]
                lines.append(
                    PlaylistLine(
                        number: number, name: Substring(line[..<colon].dropFirst()),
                        value: Substring(value)))
            }
        }
        guard number > 0 else {
            throw PlaylistError(.notAPlaylist, "the playlist is empty; its first line is #EXTM3U")
        }
        return lines
    }

    private static func first(
        _ line: Substring.UTF8View.SubSequence, _ faults: inout PlaylistFaults
    ) throws(PlaylistError) {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let isMarked = line.starts(with: mark)
        let rest = line.dropFirst(isMarked ? mark.count : 0)
        let behind = rest.dropFirst(7)
        guard rest.starts(with: "#EXTM3U".utf8),
            behind.isEmpty || behind.first == 0x20 || behind.first == 0x09
        else {
            throw PlaylistError(.notAPlaylist, line: 1, "a playlist's first line is #EXTM3U")
        }
        if isMarked {
            faults.add(
                PlaylistError(
                    .malformed, line: 1,
                    "the text begins with a byte order mark, which no playlist may hold"))
        }
        if !behind.isEmpty {
            faults.add(
                PlaylistError(.malformed, line: 1, "nothing but #EXTM3U stands in the first line"))
        }
    }

    private static func trimmed(
        _ line: Substring.UTF8View.SubSequence
    ) -> Substring.UTF8View.SubSequence {
        var line = line
        while let last = line.last, last == 0x0D || last == 0x20 || last == 0x09 {
            line = line.dropLast()
        }
        return line
    }

    func integer() throws(PlaylistError) -> Int {
        guard let number = PlaylistNumber.integer(value) else {
            throw malformed("is not a whole number")
        }
        return number
    }

    /// Reads a media sequence number as its bit pattern.
    func sequence() throws(PlaylistError) -> Int {
        guard let number = PlaylistNumber.wide(value) else {
            throw malformed("is not a whole number from 0 to 2^64 - 1")
        }
        return Int(truncatingIfNeeded: number)
    }

    func malformed(_ why: String) -> PlaylistError {
        PlaylistError(.malformed, line: number, "\(name): '\(value)' \(why)")
    }
}
