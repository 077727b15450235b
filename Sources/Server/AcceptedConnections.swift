import HLS
import HTTPWire
import Logging
import NIOCore
import NIOHTTP1
import RTMP
import Sockets

/// State that the connections of a server share, whichever port they came in by.
struct AcceptedConnections: Sendable {
    /// The loops that serve media.
    let hubs: [StreamHub]
    /// Loop of the API's own port, which has no stream; nil if the API has no port of its own.
    let apiHub: StreamHub?
    let directory: StreamDirectory
    let admissions: Admissions
    let access: AccessPolicy
    let origin: HLSOrigin?
    let ladders: LadderController?
    let pushes: PushTable
    /// Certificate and key; nil if no port uses TLS.
    let identity: TLSIdentity?
    let delays: DelayRecorder
    /// Threads that write to receivers; nil if the event loops do.
    let senders: SenderPool?
    let logger: Logger
    private let statusPages = StatusPages()

    /// Makes a connection's pipeline.
    func begin(_ channel: any Channel, of listener: ServerError.Listener) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            channel.setCloseOnExec()
            guard access.admitsConnection(from: channel.remoteAddress?.ipAddress) else {
                admissions.refuse(.addresses)
                throw ChannelError.eof
            }
            let place = try admissions.place(for: channel)
            if listener.isSecure, let identity {
                try channel.pipeline.syncOperations.addHandler(identity.handler())
            }
            switch listener {
            case .rtmp, .rtmps:
                let hub = hub(of: channel)
                // TLS reads into buffers that it uses again by itself.
                let isServed = !listener.isSecure && hub.eventLoop === channel.eventLoop
                let readBuffer = isServed ? hub.readBuffer : nil
                try readBuffer?.serve(channel)
                let handler = RTMPServerHandler(
                    hub: hub, hubs: hubs, directory: directory, admissions: admissions,
                    access: access, place: place, readBuffer: readBuffer, logger: logger)
                try channel.pipeline.syncOperations.addHandler(handler)
            case .http, .https:
                try addHTTP(
                    to: channel, place, hub(of: channel), apiHub == nil ? .mediaAndAPI : .media)
            case .api: try addHTTP(to: channel, place, apiHub ?? hub(of: channel), .api)
            }
        }
    }

    private func addHTTP(
        to channel: any Channel, _ place: Admissions.Place, _ hub: StreamHub, _ role: HTTPPortRole
    ) throws {
        let handler = FLVRequestHandler(
            hub: hub, role: role, directory: directory, origin: origin,
            admissions: admissions, access: access, place: place, logger: logger
        ) { page in
            let promise = channel.eventLoop.makePromise(of: ByteBuffer.self)
            // The page of many streams is long, and is made beside the loops.
            promise.completeWithTask { try await statusPages.bytes(page) { try await status() } }
            return promise.futureResult
        } kick: { target in
            let promise = channel.eventLoop.makePromise(of: Int.self)
            promise.completeWithTask { try await kick(target) }
            return promise.futureResult
        } push: { change in
            let promise = channel.eventLoop.makePromise(of: PushChange.Answer.self)
            promise.completeWithTask { perform(change) }
            return promise.futureResult
        }
        try channel.pipeline.syncOperations.addHandlers([
            HTTPRequestGuard.decoder(), HTTPRequestGuard(), handler,
        ])
    }

    private func hub(of channel: any Channel) -> StreamHub {
        hubs.first { $0.eventLoop === channel.eventLoop } ?? hubs[0]
    }

    /// Ends connections and returns their number.
    func kick(_ target: KickTarget) async throws -> Int {
        var count = 0
        for hub in hubs { count += try await hub.eventLoop.submit { hub.kick(target) }.get() }
        if count > 0 { logger.notice("kicked \(count): \(target.text.printable)") }
        return count
    }

    /// Adds or removes a target, and answers the request.
    private func perform(_ change: PushChange) -> PushChange.Answer {
        let (stream, target) = (change.stream, change.target)
        switch change.action {
        case .add:
            if target.isSecure, let senders = hubs.first?.configuration.senders {
                return .refused(
                    "sender threads (\(senders.rawValue)) cannot write over TLS; give an rtmp:// target"
                )
            }
            // Reading the authorities takes long, so it is not left to an event loop.
            if target.isSecure, let trust = hubs.first?.configuration.pushTrust {
                do { _ = try trust.context() } catch { return .refused("\(error)") }
            }
            if let fault = pushes.add(target, to: stream) { return .refused(fault) }
        case .remove:
            guard pushes.remove(target, from: stream) else { return .unknown }
        }
        for hub in hubs { hub.eventLoop.execute { hub.pushes?.update(stream) } }
        logger.notice(
            "push of \(stream.printable) to \(target.withoutQuery.printable): \(change.action.rawValue)"
        )
        return .done(targets: pushes.targets(of: stream).count)
    }

    func status() async throws -> ServerStatus {
        var local: [String: StreamHub.LocalStatus] = [:]
        for hub in hubs {
            for (name, status) in try await hub.eventLoop.submit({ hub.status() }).get() {
                var sum = local[name] ?? .init()
                sum.rtmpSubscribers += status.rtmpSubscribers
                sum.flvSubscribers += status.flvSubscribers
                sum.droppedFrames += status.droppedFrames
                // The loops share the cache's buffers.
                sum.cacheBytes = max(sum.cacheBytes, status.cacheBytes)
                local[name] = sum
            }
        }
        let publications = directory.publications
        let packaged = origin?.streams ?? [:]
        let now = NIODeadline.now()
        let streams = Set(local.keys).union(publications.keys).union(packaged.keys).sorted().map {
            name in
            let own = local[name] ?? .init()
            let publication = publications[name]
            return ServerStatus.Stream(
                name: name, isPublished: publication.map { $0.awaySince == nil } ?? false,
                publisher: publication?.address,
                publishedSeconds: publication.map {
                    Double((now - $0.startedAt).nanoseconds) / 1e9
                },
                receivedBytes: publication?.counts.receivedBytes ?? 0,
                videoFrames: publication?.counts.videoFrames ?? 0,
                audioFrames: publication?.counts.audioFrames ?? 0,
                keyFrames: publication?.counts.keyFrames ?? 0, rtmpSubscribers: own.rtmpSubscribers,
                flvSubscribers: own.flvSubscribers, droppedFrames: own.droppedFrames,
                gopCacheBytes: own.cacheBytes,
                leftOutMessages: publication?.leftOutMessages ?? 0,
                hls: packaged[name].map {
                    .init($0.facts, container: origin?.configuration.container ?? .ts)
                })
        }
        var status = ServerStatus(
            version: "1", streams: streams, ladders: await ladders?.status() ?? [])
        status.usage = admissions.usage(
            publishers: publications.count, streams: packaged.count,
            hlsBytes: streams.reduce(0) { $0 + ($1.hls?.storedBytes ?? 0) },
            gopCacheBytes: streams.reduce(0) { $0 + $1.gopCacheBytes })
        for hub in hubs {
            status.pushes += try await hub.eventLoop.submit { hub.pushes?.status ?? [] }.get()
        }
        for hub in hubs {
            let (messages, copies) = try await hub.eventLoop.submit {
                (hub.meter.relayedMessages, hub.meter.payloadCopies)
            }.get()
            status.relayedMessages = (status.relayedMessages ?? 0) + messages
            status.payloadCopies = (status.payloadCopies ?? 0) + copies
        }
        status.senderThreads = senders?.threads
        status.delays = delays.figures
        status.pushes.sort { ($0.stream, $0.target) < ($1.stream, $1.target) }
        status.leftOutMessages = admissions.leftOutMessages
        for (limit, count) in admissions.refused { status.refused[limit.rawValue] = count }
        return status
    }
}
