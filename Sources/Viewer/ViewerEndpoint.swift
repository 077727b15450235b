import HTTPWire
import RTMP
import Sockets

/// The parts of a viewer's URL.
enum ViewerEndpoint {
    case rtmp(RTMPURL)
    case http(HTTPURL)

    init(_ spec: ViewerSpec) throws {
        switch spec.transport {
        case .rtmp: self = .rtmp(try RTMPURL(spec.url))
        case .httpFLV:
            do {
                self = .http(try HTTPURL(spec.url))
            } catch {
                throw ViewerError(
                    description: "\(error); http://host[:port]/app/stream.flv is meant")
            }
        }
    }

    var host: String {
        switch self {
        case .rtmp(let url): url.host
        case .http(let url): url.host
        }
    }

    var port: Int {
        switch self {
        case .rtmp(let url): url.port
        case .http(let url): url.port
        }
    }

    /// Whether the connection uses TLS.
    var isSecure: Bool {
        switch self {
        case .rtmp(let url): url.isSecure
        case .http(let url): url.isSecure
        }
    }

    /// Host and port, which identify a connector.
    var place: String { "\(host) \(port)" }
}

/// State of an HTTP-FLV viewer's search for its stream: redirects and cookies so far.
struct HTTPItinerary {
    var redirects = HTTPRedirects()
    var cookies = CookieJar()

    /// Returns the request line and fields of the next request.
    func request(_ url: HTTPURL, agent: String = "millrace") -> [UInt8] {
        var request = HTTPRequest(url, agent: agent)
        request.closesAfterwards = true
        request.cookies = cookies.header(for: url, now: Clock.realTimeSeconds())
        return request.bytes
    }

    /// Follows a response that redirects.
    /// - Throws: `HTTPRedirects.Fault` after too many redirects.
    mutating func follow(_ head: HTTPResponseHead, from url: HTTPURL) throws -> HTTPURL {
        cookies.take(head, from: url, now: Clock.realTimeSeconds())
        guard let next = try redirects.next(head, from: url) else {
            throw ViewerError(description: "the server answered \(head.statusText)")
        }
        return next
    }
}
