import NIOCore
public import Statistics

/// What became of the requests of a flood.
public struct APIFloodReport: Codable, Sendable {
    /// Requests that were sent.
    public var requests = 0
    /// Answers with a status of 200 to 299, and with another status.
    public var accepted = 0
    public var refused = 0
    /// Requests without an answer: the connection failed, or no answer came within 5 s or before
    /// the end.
    public var unanswered = 0
    /// Requests that were due and not sent, because too many others waited for their answers.
    public var skipped = 0
    /// Time from the beginning of the connection until the server closed it after its answer.
    public var time = DelayHistogram()

    public init() {}
}

/// The requests of a flood: of ten, eight ask for the status, one adds a push target to a stream
/// that nobody publishes, and one removes the target. No target is ever connected to.
enum APIFloodRequest {
    private static let target =
        "/api/v1/push?stream=flood%2Fnone&url=rtmp%3A%2F%2F127.0.0.1%3A1%2Fflood%2Fnone"

    /// Returns the bytes of a request.
    ///
    /// - Parameter number: Number of the request, from 0.
    static func bytes(_ number: Int, _ spec: APIFloodSpec) -> ByteBuffer {
        let line =
            switch number % 10 {
            case 0: "POST \(target)"
            case 5: "DELETE \(target)"
            default: "GET /api/v1/status"
            }
        return ByteBuffer(
            string: "\(line) HTTP/1.1\r\nHost: \(spec.host):\(spec.port)\r\n"
                + "Authorization: Bearer \(spec.token)\r\nContent-Length: 0\r\n"
                + "Connection: close\r\n\r\n")
    }
}
