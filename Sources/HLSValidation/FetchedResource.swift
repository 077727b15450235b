import HLS
import HTTPFetch
import HTTPWire
import NIOCore

/// Result of a fetch, from a server or from a file.
struct FetchedResource: Sendable {
    /// Response; its `url` is the one that sent it, after redirects.
    var response: ResponseValidator.Response
    var body: ByteBuffer
    /// Seconds from the request to the response's end.
    var seconds: Double
}

extension FetchedResource {
    init(_ answer: FetchedAnswer) {
        var headers: [String: String] = [:]
        for field in answer.head.fields where headers[field.name] == nil {
            headers[field.name] = answer.head[field.name]
        }
        self.init(
            response: .init(
                url: answer.url.description, status: answer.head.status, headers: headers),
            body: ByteBuffer(bytes: answer.body), seconds: answer.seconds)
    }
}
