import HTTPWire
public import RTMP

/// Rule that pushes streams to another RTMP server.
public struct PushRule: Sendable, Codable, Hashable {
    /// Names of the streams, `<app>/<stream>`; `*` stands for any run of characters.
    public var streams: String
    /// URL of the target; `{app}` and `{stream}` in its path and query stand for the parts of the
    /// stream's name, which is percent-encoded in the query.
    public var url: RTMPURL

    public init(streams: String = "*", url: RTMPURL) {
        self.streams = streams
        self.url = url
    }

    /// Reads `[STREAMS=]URL`.
    ///
    /// - Throws: `ServerConfigurationError` if the text has no URL that can be used.
    public init(_ text: String) throws {
        var (streams, target) = ("*", text[...])
        if let mark = text.firstIndex(of: "="), !text[..<mark].contains("://") {
            streams = String(text[..<mark])
            target = text[text.index(after: mark)...]
        }
        do {
            self.init(streams: streams, url: try RTMPURL(String(target)))
        } catch {
            throw ServerConfigurationError(description: "the push target \(error.message)")
        }
        if let problem { throw ServerConfigurationError(description: problem) }
    }

    /// Fault of the rule, with its remedy; nil if there is none.
    var problem: String? {
        if streams.isEmpty { return "a push rule names no stream; give <app>/<stream>, or *" }
        return url.streamKey.isEmpty
            ? "the push target \(url.tcURL) names no stream; end it with /{stream}" : nil
    }

    /// Returns the target of a stream; nil if the rule is not for the stream.
    ///
    /// - Parameter name: Name of the stream, `<app>/<stream>`.
    func target(of name: String) -> RTMPURL? {
        guard Glob(streams).matches(name) else { return nil }
        let (application, stream) = StreamName.split(name)
        // A name with `&` in it would otherwise add parameters to the target's query.
        let encoded = (
            URIReference.percentEncodedValue(application), URIReference.percentEncodedValue(stream)
        )
        var target = url
        let (path, query) = RTMPURL.splitQuery(url.application)
        target.application = Self.filled(path, application, stream)
        if !query.isEmpty {
            target.application += "?" + Self.filled(query, encoded.0, encoded.1)
        }
        target.streamKey = Self.filled(url.streamKey, application, stream)
        target.query = Self.filled(url.query, encoded.0, encoded.1)
        return target
    }

    private static func filled(_ text: String, _ application: String, _ stream: String) -> String {
        // The stream's name may itself hold `{app}`, so it is inserted last.
        text.split(separator: "{stream}", omittingEmptySubsequences: false).map {
            $0.split(separator: "{app}", omittingEmptySubsequences: false)
                .joined(separator: application)
        }.joined(separator: stream)
    }
}

extension RTMPURL {
    /// The URL without its query and that of its application, which may hold keys.
    var withoutQuery: String {
        var url = self
        url.application = Self.splitQuery(application).key
        return "\(url.tcURL)/\(streamKey)"
    }

    /// Name of the stream on the target's server, `<app>/<stream>`.
    var name: String { "\(Self.splitQuery(application).key)/\(streamKey)" }

    /// Returns a text without this URL's queries, which a server may repeat in its answers.
    func hidingQueries(in text: String) -> String {
        let queries = [query, Self.splitQuery(application).query].filter { !$0.isEmpty }
        return queries.reduce(text) { $0.replacing($1, with: "…") }
    }
}
