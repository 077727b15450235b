import ArgumentParser
import Glibc
import Logging
import Media
import Publisher
import Results
import ServiceLifecycle
import SimulationKernel
import Sockets
import Statistics

struct Publish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publish synthetic streams or files over RTMP, each frame at its intended time.",
        discussion: """
            millrace publish rtmp://127.0.0.1/live/demo --bitrate 2628 --size 1280x720
            millrace publish 'rtmp://127.0.0.1/live/s{i}' --count 100 --bitrate 2000
            millrace publish rtmp://127.0.0.1/live/demo --edge-ladder     (demo_720p … demo_240p)
            millrace publish rtmp://127.0.0.1/live/demo --file in.mp4
            """)

    @Argument(help: "Where to publish; {i} becomes the stream's number from 0.")
    var url: String
    @Option(help: "Number of streams.")
    var count = 1
    @Option(help: "Bit rate in kbit/s, audio included.")
    var bitrate = 2000
    @Option(help: "Audio bit rate in kbit/s; 0 = no audio.")
    var audioBitrate = 128
    @Option(help: "Picture size.")
    var size = "1280x720"
    @Option(help: "Frames per second.")
    var fps = 30
    @Option(help: "Seconds between key frames.")
    var gop = 2
    @Flag(help: "Publish the four renditions of the edge ladder, named <stream>_720p and so on.")
    var edgeLadder = false
    @Option(help: "Loop this file instead; anything but FLV is remuxed once through ffmpeg.")
    var file: String?
    @Option(help: "Stop after so many seconds; 0 = at Ctrl-C.")
    var duration = 0
    @Option(help: "First timestamp in milliseconds.")
    var startTimestamp: UInt32 = 0
    @Option(help: "Event loop threads.")
    var threads = 1
    @Option(help: "TCP congestion control; default: the system's.")
    var congestionControl: String?
    @OptionGroup var tls: TLSOptions
    @Flag(name: .shortAndLong, help: "No progress lines.")
    var quiet = false

    func validate() throws {
        try check(count, in: 1...100_000, "--count")
        try check(bitrate, in: 1...1_000_000, "--bitrate")
        try check(audioBitrate, in: 0...1_000_000, "--audio-bitrate")
        try check(fps, in: 1...240, "--fps")
        try check(gop, in: 1...60, "--gop")
        try check(threads, in: 1...64, "--threads")
        try check(duration, in: 0...31_536_000, "--duration")
        guard count == 1 || url.contains("{i}") else {
            throw ValidationError(
                "--count \(count) needs {i} in the URL, or all streams have one name")
        }
        guard size.split(separator: "x").compactMap({ Int($0) }).count == 2 else {
            throw ValidationError(
                "--size is '\(size)'; it takes WIDTHxHEIGHT, for example 1280x720")
        }
        for side in size.split(separator: "x").compactMap({ Int($0) }) {
            try check(side, in: 16...8192, "each side of --size")
        }
        if file == nil, !edgeLadder {
            do {
                for source in sources { _ = try source.spec.makeSource() }
            } catch let error as MediaError {
                throw ValidationError(
                    "these streams cannot be made: \(error.message); see --bitrate, "
                        + "--audio-bitrate, --size, --fps and --gop")
            }
        }
    }

    private var plan: PublishPlan {
        PublishPlan(url: url, count: count, sources: sources)
    }

    private var sources: [PublishPlan.Source] {
        if let file { return [.init(.file(path: file))] }
        if edgeLadder { return PublishPlan.edgeLadder(startTimestamp: startTimestamp) }
        let sides = size.split(separator: "x").compactMap { Int($0) }
        var spec = SyntheticSpec(
            width: sides[0], height: sides[1], framesPerSecond: FrameRate(fps),
            gopFrames: gop * fps, totalBitrate: Bitrate(kilobitsPerSecond: bitrate),
            audioBitrate: Bitrate(kilobitsPerSecond: audioBitrate))
        spec.startTimestamp = startTimestamp
        return [.init(.synthetic(spec))]
    }

    func run() async throws {
        var options = PublisherOptions()
        options.trust = tls.trust
        options.threads = threads
        options.congestionControl = congestionControl
        let pool: PublisherPool
        do {
            pool = try await PublisherPool(plan.specs, options: options)
            try await pool.connect()
        } catch {
            fail("\(error)")
        }
        pool.start(atNanoseconds: Clock.monotonicNanoseconds() + 100_000_000)
        let progress = Progress(pool: pool, seconds: duration, isQuiet: quiet)
        try await Interruption.run(progress, logger: stderrLogger(.warning))
        let report = try await pool.report()
        try await pool.stop()
        var failed = 0
        for stream in report.streams {
            if stream.failure != nil { failed += 1 }
            // The query of a URL may contain a stream key.
            print(
                "\(Redaction.urls(in: stream.url)): \(stream.framesSent) frames, \(stream.payloadBytes) bytes, \(stream.framesNotSent) not sent, \(stream.reconnects) reconnects\(stream.failure.map { ", \(Redaction.urls(in: $0))" } ?? "")"
            )
        }
        if failed > 0 { fail("\(failed) of \(report.streams.count) streams ended in error") }
    }
}

/// Service that tells how publishing goes; it ends after the time that the user gave.
private struct Progress: Service {
    static let interval = Duration.seconds(5)

    let pool: PublisherPool
    /// Time of the publication; 0 = without end.
    let seconds: Int
    let isQuiet: Bool

    func run() async {
        let end = seconds > 0 ? ContinuousClock.now + .seconds(seconds) : nil
        await cancelWhenGracefulShutdown {
            while true {
                let next = ContinuousClock.now + Self.interval
                guard
                    (try? await Task.sleep(until: min(next, end ?? next), clock: .continuous))
                        != nil
                else { return }
                if let end, ContinuousClock.now >= end { return }
                if !isQuiet, let report = try? await pool.report() { tell(report) }
            }
        }
    }

    private func tell(_ report: PublisherReport) {
        let connected = report.streams.count { $0.isConnected }
        let frames = report.streams.reduce(0) { $0 + $1.framesSent }
        let late = report.lateness.milliseconds(atPercentile: 99) ?? 0
        say(
            "\(connected)/\(report.streams.count) streams, \(frames) frames, lateness p99 \(Figure.plain(late)) ms"
        )
    }
}
