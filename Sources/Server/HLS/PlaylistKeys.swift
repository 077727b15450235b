import HTTPWire
import NIOCore

/// Adds a query to every URI of a playlist.
enum PlaylistKeys {
    static func adding(_ query: String, to playlist: ByteBuffer) -> ByteBuffer {
        // Quotes and blanks in a client's query would end the URI.
        let query = URIReference.percentEncoded(Substring(query))
        var text = ""
        for line in String(buffer: playlist).split(
            separator: "\n", omittingEmptySubsequences: false)
        {
            if line.hasPrefix("#") {
                text += attribute(line, query)
            } else {
                text += line.isEmpty ? "" : with(query, line)
            }
            text += "\n"
        }
        text.removeLast()
        return ByteBuffer(string: text)
    }

    private static func with(_ query: String, _ uri: Substring) -> String {
        "\(uri)\(uri.contains("?") ? "&" : "?")\(query)"
    }

    /// Returns the line with its `URI="…"` changed, if it has one.
    private static func attribute(_ line: Substring, _ query: String) -> String {
        let mark = "URI=\""
        guard let start = line.firstRange(of: mark), let before = line[..<start.lowerBound].last,
            before == ":" || before == ",",
            let end = line[start.upperBound...].firstIndex(of: "\"")
        else { return String(line) }
        return line[..<start.upperBound] + with(query, line[start.upperBound..<end]) + line[end...]
    }
}
