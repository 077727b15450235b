import HTTPWire
import Logging
import NIOCore
import RTMP

/// Role of an RTMP peer on its connection: it publishes, plays, or does neither.
enum RTMPRole {
    case none
    case publishing(Ingest, messageStreamID: UInt32)
    case playing(Subscriber, name: String, messageStreamID: UInt32)

    /// Name of the stream that the peer publishes or plays, `<app>/<stream>`.
    var streamName: String? {
        switch self {
        case .none: nil
        case .publishing(let ingest, _): ingest.name
        case .playing(_, let name, _): name
        }
    }

    /// Message stream on which the peer publishes or plays.
    var messageStreamID: UInt32? {
        switch self {
        case .none: nil
        case .publishing(_, let id): id
        case .playing(_, _, let id): id
        }
    }

    /// Reason why a media message of the peer is left out; nil if it is accepted.
    func objection(to message: Message) -> String? {
        guard case .publishing(let ingest, let id) = self else {
            return "media come, but nothing is published"
        }
        if id != message.messageStreamID {
            return
                "media come on message stream \(message.messageStreamID), but \(ingest.name.printable) is published on \(id)"
        }
        guard message.payload.readableBytes > ServerLimits.headerBytes, message.isKeptForPlayers
        else { return nil }
        return
            "metadata or a codec's configuration has \(message.payload.readableBytes) bytes; at most \(ServerLimits.headerBytes) are kept for each player that joins"
    }

    /// Ends the publication or the playback.
    /// - Parameter clean: Whether the peer ended it, and did not lose its connection.
    func end(clean: Bool, at hub: StreamHub, _ logger: Logger) {
        switch self {
        case .none: break
        case .publishing(let ingest, _):
            ingest.deliver()
            ingest.end(
                clean: clean,
                grace: .milliseconds(Int64(hub.configuration.publisherGraceMilliseconds)))
            logger.info("unpublish \(ingest.name.printable)\(clean ? "" : " (connection lost)")")
        case .playing(let subscriber, let name, _): hub.unsubscribe(subscriber, from: name)
        }
    }
}
