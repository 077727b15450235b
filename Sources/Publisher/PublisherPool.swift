import Media
import NIOCore
import NIOPosix
public import SimulationKernel
import Sockets
import Statistics

/// A number of streams on one event loop group, each frame on its own absolute schedule.
public final class PublisherPool: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let pacers: [Bound]

    private struct Bound: Sendable {
        let loop: any EventLoop
        let bound: NIOLoopBound<Pacer>
        var value: Pacer { bound.value }
    }

    /// Makes the sources, without connecting.
    /// - Throws: `RTMPError`, `MediaError` or `PublisherError` if a specification cannot work.
    public init(_ specs: [PublishSpec], options: PublisherOptions) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, options.threads))
        let loops = Array(group.makeIterator())
        do {
            // One source of each specification is made; its copies share its data.
            var made: [SourceSpec: any MediaSource] = [:]
            for spec in specs where made[spec.source] == nil {
                made[spec.source] = try spec.source.makeSource()
            }
            let sources = made
            var pacers: [Bound] = []
            for (i, loop) in loops.enumerated() {
                let share = specs.enumerated().filter { $0.offset % loops.count == i }.map(
                    \.element)
                let pacer = try await loop.submit {
                    Clock.sharpenTimers()
                    Clock.shortenSlices()
                    let publishers = try share.map {
                        try StreamPublisher(
                            $0, source: sources[$0.source]!, options: options, eventLoop: loop)
                    }
                    return NIOLoopBound(Pacer(publishers, eventLoop: loop), eventLoop: loop)
                }.get()
                pacers.append(Bound(loop: loop, bound: pacer))
            }
            self.pacers = pacers
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// Connects every stream, and returns when all streams may send.
    /// - Throws: the first failure, with the stream's URL.
    public func connect() async throws {
        for pacer in pacers {
            let loop = pacer.loop
            let all = loop.flatSubmit {
                EventLoopFuture.andAllSucceed(pacer.value.publishers.map { $0.connect() }, on: loop)
            }
            try await all.get()
        }
    }

    /// Begins to send: frame 0 is planned for `startNanoseconds` (CLOCK_MONOTONIC).
    public func start(atNanoseconds startNanoseconds: Int64) {
        for pacer in pacers {
            pacer.loop.execute { pacer.value.begin(atNanoseconds: startNanoseconds) }
        }
    }

    /// Sets the window: frames that are planned within it (CLOCK_MONOTONIC) are also counted
    /// separately.
    public func setWindow(_ window: Window) {
        for pacer in pacers { pacer.loop.execute { pacer.value.window = window } }
    }

    /// Returns the counts so far; `lateness` covers the time since the last call.
    public func report() async throws -> PublisherReport {
        var report = PublisherReport(streams: [], lateness: .init(), windowLateness: .init())
        for pacer in pacers {
            let (streams, lateness) = try await pacer.loop.submit {
                (pacer.value.publishers.map(\.report), pacer.value.takeLateness())
            }.get()
            report.streams += streams
            report.lateness.add(lateness.recent)
            report.windowLateness.add(lateness.window)
        }
        report.streams.sort { $0.streamID < $1.streamID }
        return report
    }

    /// Unpublishes every stream and ends the threads.
    public func stop() async throws {
        for pacer in pacers { try? await pacer.loop.submit { pacer.value.stop() }.get() }
        // The last messages leave with the next loop iterations; the shutdown closes the remaining
        // connections.
        try? await Task.sleep(for: .milliseconds(100))
        try await group.shutdownGracefully()
    }
}
