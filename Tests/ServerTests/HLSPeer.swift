import Foundation
import HLS
import Media
import NIOCore
import RTMP
import Server
import SimulationKernel
import TestSupport
import Testing

/// An HTTP client that keeps its connection.
final class HLSPeer {
    struct Answer {
        var status: Int
        var headers: [String: String]
        var body: ByteBuffer
        var text: String { String(buffer: body) }
    }

    let socket: TCPSocket
    private var bytes: [UInt8] = []

    init(_ server: RelayServer, receiveBuffer: Int32? = nil) throws {
        socket = try TCPSocket(
            port: try #require(server.httpPort), receiveBuffer: receiveBuffer)
    }

    init(port: Int, receiveBuffer: Int32? = nil) throws {
        socket = try TCPSocket(port: port, receiveBuffer: receiveBuffer)
    }

    func ask(_ path: String, method: String = "GET", headers: [String] = []) async throws {
        let lines = ["\(method) \(path) HTTP/1.1", "Host: x"] + headers
        try await socket.send(
            ByteBuffer(string: lines.joined(separator: "\r\n") + "\r\n\r\n"))
    }

    /// Reads one response; nil if the server has closed.
    func answer(toHead: Bool = false) async throws -> Answer? {
        var end: Range<Int>?
        while true {
            end = bytes.firstRange(of: Array("\r\n\r\n".utf8))
            if end != nil { break }
            guard let more = try await socket.receive() else { return nil }
            bytes += more.readableBytesView
        }
        guard let end else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(
            separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let pair = line.split(separator: ":", maxSplits: 1)
            headers[pair[0].lowercased()] = String(pair[1].drop { $0 == " " })
        }
        bytes.removeFirst(end.upperBound)
        let length = toHead ? 0 : try #require(Int(headers["content-length"] ?? ""))
        while bytes.count < length {
            guard let more = try await socket.receive() else { return nil }
            bytes += more.readableBytesView
        }
        let body = ByteBuffer(bytes: bytes[..<length])
        bytes.removeFirst(length)
        return Answer(
            status: Int(lines[0].split(separator: " ")[1]) ?? 0, headers: headers, body: body)
    }

    func get(_ path: String, method: String = "GET", headers: [String] = []) async throws -> Answer
    {
        try await ask(path, method: method, headers: headers)
        return try #require(try await answer(toHead: method == "HEAD"))
    }

    func playlist(_ path: String) async throws -> MediaPlaylist {
        let answer = try await get(path)
        #expect(answer.status == 200, "\(answer.text)")
        return try MediaPlaylist(parsing: answer.text)
    }
}

/// A publisher of a synthetic stream that sends as fast as the test asks: timestamps are the clock.
final class MediaFeed {
    let peer: RTMPPeer
    private var source: SyntheticSource
    private var pending: SourceFrame?
    private let hasHeaders: Bool
    private(set) var videoFrames = 0

    init(
        _ server: RelayServer, _ name: String, framesPerSecond: Int = 25, gopFrames: Int = 25,
        size: Int = 160, audio: Bool = true, start: UInt32 = 0
    ) async throws {
        let spec = SyntheticSpec(
            width: size, height: 96, framesPerSecond: FrameRate(framesPerSecond),
            gopFrames: gopFrames, totalBitrate: Bitrate(kilobitsPerSecond: 300),
            audioBitrate: audio ? Bitrate(kilobitsPerSecond: 64) : nil, startTimestamp: start)
        source = try SyntheticSource(spec: spec)
        hasHeaders = true
        peer = try await RTMPPeer(server)
        let status = try await peer.publish(name)
        try #require(status.code == "NetStream.Publish.Start", "\(status)")
        var headers: [Message] = []
        for (type, payload) in [
            (MessageType.video, source.videoSequenceHeader),
            (.audio, source.audioSequenceHeader),
        ] {
            if let payload { headers.append(message(type, start, payload)) }
        }
        try await peer.send(headers)
    }

    private func message(_ type: MessageType, _ time: UInt32, _ payload: ByteBuffer) -> Message {
        Message(
            chunkStreamID: type == .audio ? 4 : 6, timestamp: time, type: type,
            messageStreamID: peer.messageStreamID, payload: payload)
    }

    /// Sends all frames before `seconds` of media.
    func send(upTo seconds: Double) async throws {
        var messages: [Message] = []
        while let frame = pending ?? source.next() {
            pending = frame
            guard Double(frame.dtsNanoseconds) < seconds * 1e9 else { break }
            pending = nil
            if frame.kind == .video { videoFrames += 1 }
            messages.append(
                message(frame.kind == .video ? .video : .audio, frame.timestamp, frame.payload))
        }
        try await peer.send(messages)
    }
}

extension RelayServer {
    /// Waits until a stream has this number of segments.
    func segments(_ count: Int, of name: String = "live/a") async throws {
        try await eventually("\(count) segments of \(name)") {
            try await self.stream(name)?.hls?.segments == count
        }
    }

    /// Waits until this number of requests is blocked.
    func blocked(_ count: Int, on name: String = "live/a") async throws {
        try await eventually("\(count) blocked requests") {
            try await self.stream(name)?.hls?.blockedRequests == count
        }
    }
}

extension ServerConfiguration {
    /// Packages HLS with segments of a second, and parts of `part` seconds.
    mutating func packageHLS(
        _ container: SegmenterConfiguration.Container, part: Double? = nil, window: Double = 30
    ) {
        var hls = HLSConfiguration()
        hls.container = container
        hls.segmentSeconds = 1
        hls.partSeconds = part
        hls.windowSeconds = window
        self.hls = hls
    }
}
