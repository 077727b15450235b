import HLS
import Logging
import NIOCore
import Sockets
import Synchronization

/// All packaged streams of a server, and which of them make up a channel.
final class HLSOrigin: Sendable {
    let configuration: HLSConfiguration
    private let logger: Logger
    /// Seconds, by the server's start: all renditions have one, the next start has a larger one.
    private let firstDiscontinuity: Int
    private struct State {
        var streams: [String: PackagedStream] = [:]
        /// Wall-clock milliseconds less media milliseconds, by channel: renditions whose
        /// timestamps come from one clock get equal dates.
        var dateOffsets: [String: Int64] = [:]
        /// The same by stream, of those that others are encoded from.
        var sourceOffsets: [String: Int64] = [:]
        /// What each rendition of an encoder is made of.
        var sources: [String: String] = [:]
        var started: UInt64 = 0

        /// Both have the source's timestamps; how long the encoder took is no part of the date.
        func source(of name: String) -> String {
            var rest = name[...]
            while let mark = rest.lastIndex(of: "_") {
                rest = rest[..<mark]
                if streams[String(rest)] != nil { return String(rest) }
            }
            return HLSOrigin.splitRendition(name).channel
        }
    }

    private let state = Mutex(State())

    private let limits: ServerLimits

    init(_ configuration: HLSConfiguration, limits: ServerLimits = .none, logger: Logger) {
        self.limits = limits
        self.configuration = configuration
        self.logger = logger
        firstDiscontinuity = Int(Self.now() / 1000 - Segmenter.numberingBegin / 1000)
    }

    /// Renditions whose clocks seem further apart do not share dates; milliseconds.
    private static let dateTolerance: Int64 = 1000

    /// The stream of a publisher that begins or goes on.
    ///
    /// - Parameter isEncoded: its timestamps are those of the stream that it is made of.
    func publisherStarted(_ name: String, isEncoded: Bool = false) -> PackagedStream {
        let now = Self.now()
        let stream = state.withLock { state in
            state.sources[name] = isEncoded ? state.source(of: name) : nil
            if let known = state.streams[name] { return known }
            state.started += 1
            let token =
                String(now, radix: 36) + String(state.started, radix: 36)
                + String(UInt16.random(in: 0...(.max)), radix: 36)
            let new = PackagedStream(
                name: name, configuration: configuration.segmenter, token: token,
                firstDiscontinuity: firstDiscontinuity)
            state.streams[name] = new
            return new
        }
        makeRoom()
        stream.begin { date(of: $0, in: name) }
        return stream
    }

    /// The publisher is gone for good: the playlist ends, and goes after a while.
    func publisherEnded(_ stream: PackagedStream, on eventLoop: any EventLoop) {
        let generation = stream.end { date(of: $0, in: stream.name) }
        let linger = TimeAmount.nanoseconds(Int64(configuration.lingerSeconds * 1e9))
        eventLoop.scheduleTask(in: linger) { [weak self] in
            guard let self, stream.isOver(generation) else { return }
            state.withLock { state in
                state.streams.removeValue(forKey: stream.name)
                state.sources.removeValue(forKey: stream.name)
                state.sourceOffsets.removeValue(forKey: stream.name)
                let channel = Self.splitRendition(stream.name).channel
                if !state.streams.keys.contains(where: {
                    Self.splitRendition($0).channel == channel
                }) {
                    state.dateOffsets.removeValue(forKey: channel)
                }
            }
            stream.wakeAll()
            makeRoom()
        }
    }

    /// Keeps to the limits: streams that have ended go before their time where there are too many,
    /// and those that stay have equal parts of the memory.
    private func makeRoom() {
        var streams = streams
        if limits.streams > 0, streams.count > limits.streams {
            let ended = streams.values.filter(\.isFinished).prefix(streams.count - limits.streams)
            state.withLock { state in
                for stream in ended { state.streams.removeValue(forKey: stream.name) }
                streams = state.streams
            }
            for stream in ended { stream.wakeAll() }
        }
        let share = ServerLimits.share(
            limits.hlsBytes, among: streams.count, least: 1 << 20, most: configuration.byteLimit)
        for stream in streams.values { stream.setByteLimit(share) }
    }

    func deliver(_ units: [MediaUnit], to stream: PackagedStream) {
        stream.receive(units) { date(of: $0, in: stream.name) }
        if let warning = stream.warning { report(warning, of: stream.name) }
    }

    private let reported = Mutex<[String: String]>([:])

    /// Says once what is wrong with a stream.
    private func report(_ problem: String, of name: String) {
        let isNew = reported.withLock { reported in
            guard reported[name] != problem else { return false }
            if reported.count > 1000 { reported.removeAll() }
            reported[name] = problem
            return true
        }
        if isNew { logger.warning("HLS \(name.printable): \(problem.printable)") }
    }

    private func date(of ticks: Int64, in stream: String) -> ProgramDateTime {
        date(of: ticks, in: stream, now: Self.now())
    }

    /// The wall-clock time of a decode time: the channel's anchor where there is one.
    ///
    /// - Parameter now: milliseconds since 1970.
    func date(of ticks: Int64, in stream: String, now: Int64) -> ProgramDateTime {
        let own = now - ticks / 90
        let channel = Self.splitRendition(stream).channel
        let offset = state.withLock { state in
            if let source = state.sources[stream] {
                let offset = state.sourceOffsets[source] ?? own
                state.sourceOffsets[source] = offset
                return offset
            }
            defer { state.sourceOffsets[stream] = state.dateOffsets[channel] }
            if let shared = state.dateOffsets[channel], abs(shared - own) < Self.dateTolerance {
                return shared
            }
            state.dateOffsets[channel] = own
            return own
        }
        return ProgramDateTime(millisecondsSince1970: offset + ticks / 90)
    }

    /// Milliseconds since 1970.
    private static func now() -> Int64 { Clock.realTimeNanoseconds() / 1_000_000 }

    func stream(_ name: String) -> PackagedStream? { state.withLock { $0.streams[name] } }

    var streams: [String: PackagedStream] { state.withLock { $0.streams } }

    /// `live/cam_720p` is rendition `720p` of `live/cam`.
    static func splitRendition(_ name: String) -> (channel: String, rendition: String?) {
        let start = name.lastIndex(of: "/").map { name.index(after: $0) } ?? name.startIndex
        guard let mark = name[start...].lastIndex(of: "_"), mark > start,
            name.index(after: mark) < name.endIndex
        else { return (name, nil) }
        return (String(name[..<mark]), String(name[name.index(after: mark)...]))
    }

    /// The packaged streams of a channel, `<app>/<channel>`, in the order of their names or of the
    /// configuration.
    func members(ofChannel name: String) -> [PackagedStream] {
        let streams = streams
        if !configuration.channels.isEmpty {
            let channel = configuration.channels.first {
                ($0.name.contains("/") ? $0.name : "live/\($0.name)") == name
            }
            let application = name.lastIndex(of: "/").map { name[...$0] } ?? ""
            return (channel?.renditions ?? []).compactMap { streams["\(application)\($0.stream)"] }
        }
        return streams.keys.sorted().filter {
            $0 == name || Self.splitRendition($0).channel == name
        }.compactMap { streams[$0] }
    }

    /// The other renditions of the channel that `name` belongs to.
    func siblings(of name: String) -> [PackagedStream] {
        guard configuration.partSeconds != nil else { return [] }
        let application = name.lastIndex(of: "/").map { String(name[...$0]) } ?? ""
        let key = name.dropFirst(application.count)
        var channel = Self.splitRendition(name).channel
        if !configuration.channels.isEmpty {
            guard
                let own = configuration.channels.first(where: { channel in
                    channel.renditions.contains { $0.stream == key }
                        && (channel.name.contains("/") ? channel.name : "live/\(channel.name)")
                            .hasPrefix(application)
                })
            else { return [] }
            channel = own.name.contains("/") ? own.name : "live/\(own.name)"
        }
        return members(ofChannel: channel).filter { $0.name != name }
    }
}
