import HTTPWire
import RTMP
import Sockets

/// A viewer's URL taken apart.
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

    /// Over TLS.
    var isSecure: Bool {
        switch self {
        case .rtmp(let url): url.isSecure
        case .http(let url): url.isSecure
        }
    }

    /// Host and port: what one connector leads to.
    var place: String { "\(host) \(port)" }
}

/// Where an HTTP-FLV viewer is on its way to a stream: what redirects and cookies have told it.
struct HTTPItinerary {
    var redirects = HTTPRedirects()
    var cookies = CookieJar()

    /// The request line and fields of the next request.
    func request(_ url: HTTPURL, agent: String = "millrace") -> [UInt8] {
        var request = HTTPRequest(url, agent: agent)
        request.closesAfterwards = true
        request.cookies = cookies.header(for: url, now: Clock.realTimeSeconds())
        return request.bytes
    }

    /// Takes an answer that leads elsewhere.
    /// - Throws: `HTTPRedirects.Fault` after too many.
    mutating func follow(_ head: HTTPResponseHead, from url: HTTPURL) throws -> HTTPURL {
        cookies.take(head, from: url, now: Clock.realTimeSeconds())
        guard let next = try redirects.next(head, from: url) else {
            throw ViewerError(description: "the server answered \(head.statusText)")
        }
        return next
    }
}
