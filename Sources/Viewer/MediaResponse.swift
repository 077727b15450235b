import HTTPWire

/// The answer to a viewer of HTTP-FLV: its framing is undone, whichever the server has chosen
/// (RFC 9112, 6 and 7), and a coding, where there is one.
struct MediaResponse {
    enum Outcome {
        case goesOn
        /// The stream is elsewhere.
        case redirected(HTTPResponseHead)
    }

    private var reader = HTTPResponseReader()
    private var decoder: ContentDecoder?
    /// Of the answer, once it is there.
    private(set) var head: HTTPResponseHead?

    /// A live stream has no end of its own: what is decoded is not kept.
    private static let decodedLimit = Int.max

    /// Takes bytes of the connection and hands on those of the media.
    /// - Throws: an answer that is no media: it says what the server answered.
    mutating func take(
        _ bytes: UnsafeRawBufferPointer, _ media: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Outcome {
        var redirect: HTTPResponseHead?
        var decoder = decoder
        var head = head
        try reader.receive(bytes) { event in
            guard redirect == nil else { return }
            switch event {
            case .head(let new):
                head = new
                if new.isRedirect, new.location != nil {
                    redirect = new
                    return
                }
                guard new.isSuccess else {
                    throw ViewerError(description: "the server answered \(new.statusText)")
                }
                if !new.contentCoding.isEmpty {
                    decoder = try ContentDecoder(
                        coding: new.contentCoding, outputLimit: Self.decodedLimit)
                }
            case .body(let range):
                let part = UnsafeRawBufferPointer(rebasing: bytes[range])
                if let decoder { try decoder.decode(part, media) } else { try media(part) }
            case .end:
                throw ViewerError(
                    description: "the server ended its answer (\(head?.statusText ?? "none"))")
            }
        }
        self.decoder = decoder
        self.head = head
        return redirect.map { .redirected($0) } ?? .goesOn
    }
}
