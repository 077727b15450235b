import Media
import NIOCore
import RTMP
import Server
import Testing

/// An HTTP client that sends one request and reads the response.
final class HTTPPeer {
    let socket: TCPSocket
    private(set) var statusLine = ""
    private(set) var headers: [String: String] = [:]
    private var body = ByteBuffer()
    private var tags = FLVReader()

    init(
        _ server: RelayServer, _ path: String, method: String = "GET", host: String = "127.0.0.1",
        receiveBuffer: Int32? = nil, port: Int? = nil
    ) async throws {
        let port = try #require(port ?? server.httpPort)
        socket = try TCPSocket(host: host, port: port, receiveBuffer: receiveBuffer)
        try await socket.send(ByteBuffer(string: "\(method) \(path) HTTP/1.1\r\nHost: x\r\n\r\n"))
        var head: [UInt8] = []
        while let bytes = try await socket.receive() {
            head += bytes.readableBytesView
            guard let end = head.firstRange(of: Array("\r\n\r\n".utf8)) else { continue }
            let text = String(decoding: head[..<end.lowerBound], as: UTF8.self)
            let lines = text.split(separator: "\r\n")
            statusLine = String(lines[0])
            for line in lines.dropFirst() {
                let pair = line.split(separator: ":", maxSplits: 1)
                headers[pair[0].lowercased()] = String(pair[1].drop { $0 == " " })
            }
            body = ByteBuffer(bytes: head[end.upperBound...])
            return
        }
        Issue.record("closed before an answer")
    }

    var status: Int { Int(statusLine.split(separator: " ")[1]) ?? 0 }

    /// Returns the whole body, up to the server's close.
    func text() async throws -> String {
        while let bytes = try await socket.receive() { body.writeImmutableBuffer(bytes) }
        return String(buffer: body)
    }

    /// Returns the next FLV tag as an RTMP message; nil if the server has closed.
    func tag() async throws -> Message? {
        while true {
            if body.readableBytes > 0 {
                tags.append(body)
                body.clear()
            }
            if let tag = try tags.next() { return Self.message(tag) }
            guard let bytes = try await socket.receive() else { return nil }
            body = bytes
        }
    }

    /// Returns the tags that are there without waiting.
    func available() throws -> [Message] {
        var all: [Message] = []
        while true {
            tags.append(body)
            body.clear()
            while let tag = try tags.next() { all.append(Self.message(tag)) }
            guard case .bytes(let bytes) = socket.poll() else { return all }
            body = bytes
        }
    }

    private static func message(_ tag: FLVTag) -> Message {
        Message(
            chunkStreamID: 6, timestamp: tag.timestamp,
            type: MessageType(rawValue: tag.type.rawValue), payload: tag.payload)
    }

    /// Returns the tags up to the video frame `number`.
    func tags(upToVideo number: Int) async throws -> [Message] {
        var all: [Message] = []
        while let message = try await tag() {
            all.append(message)
            if message.videoNumber == number { return all }
        }
        Issue.record("the stream ended before frame \(number)")
        return all
    }

    /// The file header's flags, once it has arrived.
    var flags: (audio: Bool?, video: Bool?) { (tags.hasAudio, tags.hasVideo) }
}
