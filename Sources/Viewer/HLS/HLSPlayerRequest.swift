import HTTPWire

/// A request that a player's session gives to its driver.
struct HLSPlayerRequest: Hashable {
    enum Purpose: Hashable {
        /// The URL that the viewer was given; it may lead to either kind of playlist.
        case entry
        case playlist(rendition: Int, isBlocking: Bool)
        case initialization
        case segment
        case part(duration: Double)

        var keepsBody: Bool {
            switch self {
            case .entry, .playlist: true
            case .initialization, .segment, .part: false
            }
        }

        var isMedia: Bool {
            switch self {
            case .segment, .part: true
            case .entry, .playlist, .initialization: false
            }
        }
    }

    /// The one of the viewer's two connections that carries a request.
    enum Slot: Int, CaseIterable {
        case media, playlist
    }

    var purpose: Purpose
    var url: HTTPURL
    /// Range of the resource's bytes; nil = the whole resource.
    var range: Range<Int>?

    var slot: Slot {
        switch purpose {
        case .entry, .playlist: .playlist
        case .initialization, .segment, .part: .media
        }
    }
}

/// An event that a driver passes to its session.
enum HLSEvent {
    /// The viewer joins.
    case start
    /// The time of `HLSNextCalls.timer` has come.
    case timer
    /// `received` bytes of the response's body have arrived; `total` is the length of the whole
    /// body, if it is known. The driver sends this event once the time of
    /// `HLSNextCalls.judgement` has come.
    case progress(HLSPlayerRequest.Slot, received: Int, total: Int?, firstByte: Double)
    /// The whole response has arrived.
    case finished(HLSPlayerRequest.Slot, HLSPlayerResponse)
    /// No response came.
    case failed(HLSPlayerRequest.Slot, HLSFetchFault)
}

/// An action that a session requests from its driver.
enum HLSAction: Hashable {
    case fetch(HLSPlayerRequest)
    /// Give up the slot's download; its connection cannot be used again.
    case cancel(HLSPlayerRequest.Slot)
    /// The session is over. The text is the reason of a failure; nil without a failure.
    case end(String?)
}

/// A response that the player has received completely. Its times are ms of the session.
struct HLSPlayerResponse {
    var status: Int
    /// Status and reason, for messages.
    var statusText: String { head ?? HTTPResponseHead(status: status).statusText }
    /// The status text as the server wrote it.
    var head: String?
    /// The body, for playlists only.
    var body: [UInt8] = []
    /// Number of bytes of the body.
    var bytes: Int
    /// Number of bytes of the head.
    var headBytes = 0
    /// URL of the response, after redirects.
    var url: HTTPURL
    var requested: Double
    var firstByte: Double
    /// Arrival of the last byte by the link's clock: a late loop passes the response on later.
    var lastByte: Double
    var retryAfter: Int?
}

/// How a session handles failures of requests, with the default policies of hls.js 1.x: a refusal
/// (4xx) is final, and any other failure is retried after 1, 2, 4, 8 s.
struct HLSRetryPolicy {
    /// Largest time until the first byte, and until the last byte (ms).
    var firstByteLimit: Double
    var loadLimit: Double
    var retriesAfterTimeout: Int
    var retriesAfterError: Int

    static let entry = HLSRetryPolicy(
        firstByteLimit: .infinity, loadLimit: 20_000, retriesAfterTimeout: 2, retriesAfterError: 1)
    static let playlist = HLSRetryPolicy(
        firstByteLimit: 10_000, loadLimit: 20_000, retriesAfterTimeout: 2, retriesAfterError: 2)
    static let fragment = HLSRetryPolicy(
        firstByteLimit: 10_000, loadLimit: 120_000, retriesAfterTimeout: 4, retriesAfterError: 6)

    static func policy(for purpose: HLSPlayerRequest.Purpose) -> HLSRetryPolicy {
        switch purpose {
        case .entry: entry
        case .playlist: playlist
        case .initialization, .segment, .part: fragment
        }
    }

    /// Wait in ms before retry number `count`, which begins at 1; there is no wait after a
    /// time-out.
    static func delay(_ count: Int, afterTimeout: Bool) -> Double {
        afterTimeout ? 0 : min(1000 * Double(1 << min(count - 1, 10)), 8000)
    }
}

/// Reason why a request brought no response.
enum HLSFetchFault: Hashable {
    case timeout
    /// The connection broke, or the response is not HTTP.
    case broken(String)
}
