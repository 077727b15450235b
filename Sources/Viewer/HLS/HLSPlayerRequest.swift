import HTTPWire

/// A request is what a player's session asks its driver for.
struct HLSPlayerRequest: Hashable {
    enum Purpose: Hashable {
        /// The URL that the viewer was given: of either kind of playlist.
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

    /// Which of the viewer's two connections carries it.
    enum Slot: Int, CaseIterable {
        case media, playlist
    }

    var purpose: Purpose
    var url: HTTPURL
    /// Bytes of the resource; nil = all.
    var range: Range<Int>?

    var slot: Slot {
        switch purpose {
        case .entry, .playlist: .playlist
        case .initialization, .segment, .part: .media
        }
    }
}

/// What a driver tells its session.
enum HLSEvent {
    /// The viewer joins.
    case start
    /// The time of `nextTimer` has come.
    case timer
    /// So much of the answer's body has arrived, and `total` is the whole body's length where that is
    /// known. The driver tells it once `judgement` has come.
    case progress(HLSPlayerRequest.Slot, received: Int, total: Int?, firstByte: Double)
    /// The whole answer has arrived.
    case finished(HLSPlayerRequest.Slot, HLSPlayerResponse)
    /// No answer came.
    case failed(HLSPlayerRequest.Slot, HLSFetchFault)
}

/// What a driver is to do for its session.
enum HLSAction: Hashable {
    case fetch(HLSPlayerRequest)
    /// Give up what the slot fetches; its connection cannot be used again.
    case cancel(HLSPlayerRequest.Slot)
    /// The session is over; the reason where that is a failure.
    case end(String?)
}

/// A response is an answer that the player has received whole. Its times are ms of the session.
struct HLSPlayerResponse {
    var status: Int
    /// Status and reason, for messages.
    var statusText: String { head ?? HTTPResponseHead(status: status).statusText }
    /// The same as the server wrote it.
    var head: String?
    /// Of playlists only.
    var body: [UInt8] = []
    /// Of the body.
    var bytes: Int
    /// Of the head.
    var headBytes = 0
    /// After redirects.
    var url: HTTPURL
    var requested: Double
    var firstByte: Double
    var retryAfter: Int?
}

/// How a session deals with answers that fail, with hls.js 1.x's default policies: a refusal
/// (4xx) is final, anything else is tried again after 1, 2, 4, 8 s.
struct HLSRetryPolicy {
    /// Until the first byte, and until the last (ms).
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

    /// Wait before retry `count`, from 1 (ms); after a time-out none.
    static func delay(_ count: Int, afterTimeout: Bool) -> Double {
        afterTimeout ? 0 : min(1000 * Double(1 << min(count - 1, 10)), 8000)
    }
}

/// Why a fetch brought no answer.
enum HLSFetchFault: Hashable {
    case timeout
    /// The connection broke, or the answer is no HTTP.
    case broken(String)
}
