/// Finds the requests in the client's direction of an HTTP/1.1 connection (RFC 9112).
struct HTTPRequestDissector {
    static let headerLimit = 16 << 10

    private var header: [UInt8] = []

    var retainedBytes: Int { header.count }

    /// Calls `emit` with target, User-Agent and whether the method is HEAD, for each GET, HEAD and
    /// OPTIONS request. Returns false if the bytes are not such requests.
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer,
        emit: (_ target: String, _ agent: String, _ isHead: Bool) -> Void
    ) -> Bool {
        for byte in bytes {
            header.append(byte)
            guard header.count <= Self.headerLimit else { return false }
            guard byte == 0x0A, header.suffix(4) == [0x0D, 0x0A, 0x0D, 0x0A] else { continue }
            let lines = String(decoding: header, as: UTF8.self).split(separator: "\r\n")
            let line = lines.first ?? ""
            header.removeAll(keepingCapacity: true)
            let words = line.split(separator: " ")
            guard words.count == 3, ["GET", "HEAD", "OPTIONS"].contains(words[0]) else {
                return false
            }
            let field = lines.first { $0.lowercased().hasPrefix("user-agent:") }
            emit(
                String(words[1]), field.map { String($0.dropFirst(11)) } ?? "",
                words[0] == "HEAD")
        }
        return true
    }

    /// Application and stream name of a target: `/app/name.flv`, or the `app` and `stream` values
    /// of its query if it has them (nginx-http-flv-module).
    static func stream(_ target: String) -> (app: String, name: String) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2 {
            var values: [Substring: Substring] = [:]
            for pair in parts[1].split(separator: "&").prefix(32) {
                let sides = pair.split(separator: "=", maxSplits: 1)
                if sides.count == 2 { values[sides[0]] = sides[1] }
            }
            if let name = values["stream"] { return (String(values["app"] ?? ""), String(name)) }
        }
        var path = parts[0].split(separator: "/").map(String.init)
        var name = path.popLast() ?? ""
        if name.hasSuffix(".flv") { name.removeLast(4) }
        return (path.joined(separator: "/"), name)
    }
}
