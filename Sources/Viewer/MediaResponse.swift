import HTTPWire

/// The response to a viewer of HTTP-FLV. It removes the framing that the server has chosen (RFC
/// 9112, 6 and 7) and the content coding, if there is one.
struct MediaResponse {
    enum Outcome {
        case goesOn
        /// The server redirected the viewer to another URL.
        case redirected(HTTPResponseHead)
    }

    private var reader = HTTPResponseReader()
    private var decoder: ContentDecoder?
    /// Head of the response, once it has arrived.
    private(set) var head: HTTPResponseHead?

    /// Decoded bytes are not limited, because they are not kept and a live stream has no end of its
    /// own.
    private static let decodedLimit = Int.max

    /// Processes bytes of the connection and hands on those of the media.
    /// - Throws: an error with the server's response if the response is not media.
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
