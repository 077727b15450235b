/// A stream's name is `<app>/<stream>`, and each of its parts means something.
enum StreamName {
    /// Splits a stream's name; the key is the part after the last `/`.
    static func split(_ stream: String) -> (application: String, key: String) {
        let slash = stream.lastIndex(of: "/") ?? stream.startIndex
        return (String(stream[..<slash]), String(stream[slash...].drop { $0 == "/" }))
    }

    /// Splits a name: `live/cam_720p` is rendition `720p` of `live/cam`.
    static func splitRendition(_ name: String) -> (channel: String, rendition: String?) {
        let start = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
        guard let mark = name[start...].lastIndex(of: "_"), mark > start,
            name.index(after: mark) < name.endIndex
        else { return (name, nil) }
        return (String(name[..<mark]), String(name[name.index(after: mark)...]))
    }
}
