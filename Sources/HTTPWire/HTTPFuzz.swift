/// Entry point for a fuzzer, which traps only if a parser contradicts itself.
public enum HTTPFuzz {
    private struct Seen: Equatable {
        var statuses: [Int] = []
        var body: [UInt8] = []
        var ends = 0
        var hasFailed = false
    }

    /// Checks three properties: a response has the same result whole and byte by byte; a URL that
    /// was read is written so that it reads the same; decoding a content coding ends for any bytes.
    public static func fuzzHTTP(_ bytes: UnsafeRawBufferPointer) {
        let whole = read([bytes])
        let split = read(
            bytes.indices.map { UnsafeRawBufferPointer(rebasing: bytes[$0..<$0 + 1]) })
        precondition(whole == split, "responses depend on the pieces in which they come")
        if let url = try? HTTPURL(String(decoding: bytes, as: UTF8.self)) {
            var plain = url
            plain.credentials = nil
            precondition(
                (try? HTTPURL(url.description)) == plain, "a URL reads otherwise when written")
        }
        for coding in ["gzip", "deflate"] {
            let decoder = try? ContentDecoder(coding: coding, outputLimit: 1 << 20)
            try? decoder?.decode(bytes) { _ in }
        }
    }

    private static func read(_ pieces: [UnsafeRawBufferPointer]) -> Seen {
        var reader = HTTPResponseReader()
        var seen = Seen()
        do {
            for piece in pieces {
                try reader.receive(piece) { event in
                    switch event {
                    case .head(let head): seen.statuses.append(head.status)
                    case .body(let range): seen.body += piece[range]
                    case .end: seen.ends += 1
                    }
                }
            }
        } catch {
            seen.hasFailed = true
        }
        return seen
    }
}
