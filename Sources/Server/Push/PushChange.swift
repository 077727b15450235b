import HTTPWire
import NIOHTTP1
import RTMP

/// A request to the API that adds or removes a target:
/// `POST` or `DELETE /api/v1/push?stream=<app>/<stream>&url=<target>`.
struct PushChange: Sendable {
    enum Action: String, Sendable {
        case add = "added"
        case remove = "removed"
    }

    enum Answer: Sendable {
        /// The value is the number of targets that the stream has now.
        case done(targets: Int)
        /// The stream has no such target.
        case unknown
        case refused(String)
    }

    var action: Action
    var stream: String
    var target: RTMPURL

    /// Reads a request.
    ///
    /// - Throws: `ServerConfigurationError` that says what is missing.
    init(_ method: HTTPMethod, query: String) throws {
        action = method == .DELETE ? .remove : .add
        var fields: [Substring: String] = [:]
        let parts = query.split(separator: "&")
        for part in parts {
            let pair = part.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { fields[pair[0]] = URIReference.percentDecoded(pair[1]) }
        }
        // A part too many is the rest of a URL that is not encoded.
        guard let stream = fields["stream"], let url = fields["url"], parts.count == 2 else {
            throw ServerConfigurationError(
                description:
                    "say what: POST or DELETE /api/v1/push?stream=<app>/<stream>&url=<target>, both percent-encoded"
            )
        }
        guard stream.utf8.count <= ServerSessionStateMachine.nameLimit else {
            throw ServerConfigurationError(
                description:
                    "the stream's name has \(stream.utf8.count) bytes; at most \(ServerSessionStateMachine.nameLimit) are taken"
            )
        }
        let name = StreamName.split(stream)
        guard !name.application.isEmpty, !name.key.isEmpty else {
            throw ServerConfigurationError(
                description: "no stream has the name '\(stream.printable)'; give <app>/<stream>")
        }
        self.stream = stream
        let rule = try PushRule("*=\(url)")
        target = rule.target(of: stream) ?? rule.url
    }
}
