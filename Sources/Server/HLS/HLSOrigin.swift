import HLS
import HTTPWire
import Logging
import NIOCore
import Sockets
import Synchronization

/// All packaged streams of a server, and their grouping into channels.
final class HLSOrigin: Sendable {
    let configuration: HLSConfiguration
    private let logger: Logger
    /// First discontinuity number, in seconds of the server's start: all renditions have the same
    /// one, and the next start has a larger one.
    private let firstDiscontinuity: Int
    private struct State {
        var streams: [String: PackagedStream] = [:]
        /// Wall-clock milliseconds minus media milliseconds, by channel: renditions with timestamps
        /// of one clock get equal dates.
        var dateOffsets: [String: Int64] = [:]
        /// Offsets by stream, of streams from which others are encoded.
        var sourceOffsets: [String: Int64] = [:]
        /// Source of each rendition that an encoder makes.
        var sources: [String: String] = [:]
        var started: UInt64 = 0

        /// Returns the source of a stream. Both have the source's timestamps; the encoder's delay
        /// is not part of the date.
        func source(of name: String) -> String {
            var rest = name[...]
            while let mark = rest.lastIndex(of: "_") {
                rest = rest[..<mark]
                if streams[String(rest)] != nil { return String(rest) }
            }
            return StreamName.splitRendition(name).channel
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

    /// Largest distance in milliseconds between the clocks of renditions that share dates.
    private static let dateTolerance: Int64 = 1000

    /// Returns the packaged stream of a publisher that begins or continues.
    ///
    /// - Parameter isEncoded: Whether its timestamps are those of the stream that it is made of.
    func publisherStarted(_ name: String, isEncoded: Bool = false) -> PackagedStream {
        let now = Self.now()
        let stream = state.withLock { state in
            state.sources[name] = isEncoded ? state.source(of: name) : nil
            if let known = state.streams[name] {
                known.claim()
                return known
            }
            state.started += 1
            // If a call-back admits viewers, only the names of segments keep others out.
            let token =
                String(now, radix: 36) + String(state.started, radix: 36)
                + String(UInt64.random(in: 0...(.max)), radix: 36)
            let new = PackagedStream(
                name: name, configuration: configuration.segmenter, token: token,
                firstDiscontinuity: firstDiscontinuity)
            state.streams[name] = new
            return new
        }
        stream.begin { date(of: $0, in: name) }
        makeRoom()
        return stream
    }

    /// Ends the playlist of a publisher that is gone for good; the stream is forgotten after a
    /// while.
    func publisherEnded(_ stream: PackagedStream, on eventLoop: any EventLoop) {
        let generation = stream.end { date(of: $0, in: stream.name) }
        let linger = TimeAmount.nanoseconds(Int64(configuration.lingerSeconds * 1e9))
        // If the stream is forgotten before that time, its memory is freed too.
        eventLoop.scheduleTask(in: linger) { [weak self, weak stream] in
            guard let self, let stream, stream.isOver(generation) else { return }
            remove([stream])
            makeRoom()
        }
        makeRoom()
    }

    /// Forgets streams that have ended. A stream that is published again in the meantime stays, and
    /// so does another one of the same name.
    private func remove(_ ended: [PackagedStream]) {
        state.withLock { state in
            for stream in ended where state.streams[stream.name] === stream && stream.hasEnded {
                state.streams.removeValue(forKey: stream.name)
                state.sources.removeValue(forKey: stream.name)
                state.sourceOffsets.removeValue(forKey: stream.name)
            }
            let channels = Set(ended.map { StreamName.splitRendition($0.name).channel })
            let used = Set(state.streams.keys.map { StreamName.splitRendition($0).channel })
            for channel in channels.subtracting(used) {
                state.dateOffsets.removeValue(forKey: channel)
            }
        }
        for stream in ended { stream.wakeAll() }
    }

    /// Enforces the limits. Streams that have ended are forgotten early if there are too many, or
    /// if they hold more than their share; the remaining streams have equal parts of the memory.
    private func makeRoom() {
        var all = Array(streams.values)
        if limits.streams > 0, all.count > limits.streams {
            remove(Array(all.filter(\.hasEnded).prefix(all.count - limits.streams)))
            all = Array(streams.values)
        }
        let share = ServerLimits.share(
            limits.hlsBytes, among: all.count, least: 256 << 10, most: configuration.byteLimit)
        for stream in all { stream.setByteLimit(share) }
        guard limits.hlsBytes > 0 else { return }
        let ended = all.filter(\.hasEnded).map { (stream: $0, bytes: $0.byteCount) }
        var excess = ended.reduce(0) { $0 + $1.bytes } - share * ended.count
        var leaving: [PackagedStream] = []
        for (stream, bytes) in ended.sorted(by: { $0.bytes > $1.bytes }) where excess > 0 {
            leaving.append(stream)
            excess -= bytes - share
        }
        if !leaving.isEmpty { remove(leaving) }
    }

    func deliver(_ units: [MediaUnit], to stream: PackagedStream) {
        stream.receive(units) { date(of: $0, in: stream.name) }
        if let warning = stream.warning { report(warning, of: stream.name) }
    }

    private let reported = Mutex<[String: String]>([:])

    /// Logs once the problem of a stream.
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

    /// Wall-clock time of a decode time: the channel's anchor is used if there is one.
    ///
    /// - Parameter now: Milliseconds since 1970.
    func date(of ticks: Int64, in stream: String, now: Int64) -> ProgramDateTime {
        let own = now - ticks / 90
        let channel = StreamName.splitRendition(stream).channel
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

    /// The packaged streams of a channel, `<app>/<channel>`, in the order of their names or of the
    /// configuration.
    func members(ofChannel name: String) -> [PackagedStream] {
        let streams = streams
        if !configuration.channels.isEmpty {
            let channel = configuration.channels.first { $0.fullName == name }
            let application = name.lastIndex(of: "/").map { name[...$0] } ?? ""
            return (channel?.renditions ?? []).compactMap { streams["\(application)\($0.stream)"] }
        }
        // Most of a thousand streams belong to other channels: they are not sorted.
        return streams.filter {
            $0.key.hasPrefix(name)
                && ($0.key == name || StreamName.splitRendition($0.key).channel == name)
        }.values.sorted { $0.name < $1.name }
    }

    /// Returns the other renditions of the channel that `name` belongs to.
    func siblings(of name: String) -> [PackagedStream] {
        guard configuration.partSeconds != nil else { return [] }
        let application = name.lastIndex(of: "/").map { String(name[...$0]) } ?? ""
        let key = name.dropFirst(application.count)
        var channel = StreamName.splitRendition(name).channel
        if !configuration.channels.isEmpty {
            guard
                let own = configuration.channels.first(where: { channel in
                    channel.renditions.contains { $0.stream == key }
                        && channel.fullName.hasPrefix(application)
                })
            else { return [] }
            channel = own.fullName
        }
        return members(ofChannel: channel).filter { $0.name != name }
    }
}
