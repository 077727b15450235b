import Media
import NIOCore
import NIOPosix
import NIOSSL
import Processes
import RTMP
import SimulationKernel
import Sockets

/// One stream: its source, its connection and its counts. It is bound to one event loop.
final class StreamPublisher {
    /// The back-off of reconnections: 250 ms, doubled with each successive failure up to 8 s.
    static let reconnection = {
        var policy = RestartPolicy()
        policy.firstDelayMilliseconds = 250
        policy.longestDelayMilliseconds = 8000
        return policy
    }()

    private let spec: PublishSpec
    private let url: RTMPURL
    private let options: PublisherOptions
    private let eventLoop: any EventLoop
    /// TLS context for rtmps.
    private let tls: NIOSSLContext?
    private var source: any MediaSource
    private(set) var report: PublishedStreamReport
    private var handler: PublishHandler?
    /// Whether the connection has broken and no picture has been sent since.
    private var isAway = false
    /// Whether the connection is broken on purpose, and whether frames are missing for that reason.
    private var isGone = false
    private var hasGap = false
    private var needsHeaders = true
    /// Whether a frame was left out: frames that refer to it could not be decoded.
    private var needsKeyFrame = false
    private var frameNumber: UInt64 = 0
    private var upcoming: SourceFrame?
    /// Time for which the upcoming frame is planned; nil before the schedule is fixed, and if there
    /// is no frame.
    private(set) var nextIntended: Int64?
    private var startNanoseconds: Int64 = 0
    private var attempts = 0
    private var isStopping = false
    var window: Window?

    init(
        _ spec: PublishSpec, source: any MediaSource, options: PublisherOptions,
        eventLoop: any EventLoop
    ) throws {
        self.spec = spec
        self.options = options
        self.eventLoop = eventLoop
        url = try RTMPURL(spec.url)
        tls = url.isSecure ? try options.trust.context() : nil
        if var synthetic = source as? SyntheticSource {
            synthetic.firstGroupFrames = spec.firstGroupFrames
            self.source = synthetic
        } else {
            self.source = source
        }
        report = PublishedStreamReport(spec)
        upcoming = try self.source.nextShared()
        guard upcoming != nil else {
            throw PublisherError(
                description: "the source of \(spec.url) has no frame", isFinal: true)
        }
    }

    /// Connects and waits until the server accepts media.
    func connect() -> EventLoopFuture<Void> {
        let started = eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let (url, options, tls) = (url, options, tls)
        ClientBootstrap(group: eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(
                .writeBufferWaterMark,
                value: .init(low: options.queueByteLimit / 4, high: options.queueByteLimit / 2)
            )
            .connectTimeout(.milliseconds(Int64(options.connectTimeoutMilliseconds)))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let publisher = bound.value
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            TLSTrust.handler(tls, host: url.host))
                    }
                    let handler = PublishHandler(
                        url: url, chunkSize: options.chunkSize, started: started
                    ) { bound.value.disconnected($0) }
                    try channel.pipeline.syncOperations.addHandler(handler)
                    publisher.handler = handler
                    handler.giveUp(after: options.connectTimeoutMilliseconds)
                }.flatMap {
                    options.congestionControl.map { CongestionControl($0).apply(to: channel) }
                        ?? channel.eventLoop.makeSucceededVoidFuture()
                }
            }
            .connect(host: url.host, port: url.port)
            .whenFailure { error in
                started.fail(
                    PublisherError(
                        description:
                            "cannot connect to \(url.host):\(url.port): \(connectFailure(error))"
                            + (isRefusal(error) ? "; is the server running?" : ""),
                        isFinal: false))
                bound.value.disconnected(
                    PublisherError(
                        description: "cannot connect: \(connectFailure(error))", isFinal: false))
            }
        let result = started.futureResult
        result.whenSuccess {
            let publisher = bound.value
            publisher.report.isConnected = true
            publisher.report.failure = nil
            publisher.attempts = 0
            publisher.needsHeaders = true
        }
        return result
    }

    private func disconnected(_ error: PublisherError) {
        let wasConnected = report.isConnected
        if wasConnected { isAway = true }
        report.isConnected = false
        handler = nil
        guard !isStopping, !isGone else { return }
        report.failure = error.description
        // The caller judges the first connection; later connections are retried here.
        guard wasConnected || attempts > 0, !error.isFinal, attempts < options.reconnectLimit else {
            return
        }
        attempts += 1
        report.reconnects += 1
        let delay = Self.reconnection.delayMilliseconds(failures: attempts, jitter: 0)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: .milliseconds(Int64(delay))) {
            let publisher = bound.value
            guard !publisher.isStopping, !publisher.isGone, publisher.handler == nil else { return }
            _ = publisher.connect()
        }
    }

    /// Fixes the schedule. Returns the first frame's intended time.
    func begin(atNanoseconds start: Int64) -> Int64 {
        startNanoseconds = start + spec.phaseNanoseconds
        if let gap = spec.gap { plan(gap, from: start) }
        plan(upcoming)
        return nextIntended ?? startNanoseconds
    }

    private func plan(_ frame: SourceFrame?) {
        nextIntended = frame.map { startNanoseconds + $0.dtsNanoseconds }
        upcoming = frame
    }

    private func plan(_ gap: PublishGap, from start: Int64) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let begin = max(0, start + gap.atNanoseconds)
        let end = max(begin, start + gap.atNanoseconds + gap.lengthNanoseconds)
        eventLoop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(begin))) {
            bound.value.breakOff()
        }
        eventLoop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(end))) {
            bound.value.comeBack()
        }
    }

    private func breakOff() {
        guard !isStopping else { return }
        (isGone, hasGap) = (true, true)
        (report.framesInGap, report.windowFramesInGap) = (0, 0)
        report.isConnected = false
        isAway = true
        handler?.breakOff()
    }

    private func comeBack() {
        guard isGone, !isStopping else { return }
        isGone = false
        // A connection that fails here is tried again as any lost one.
        attempts = 1
        report.reconnects += 1
        _ = connect()
    }

    /// Adds the next frame to `batch`, with the headers if they are due. Returns the frame's lateness.
    func addNext(now: Int64, to batch: inout ByteBuffer) -> Int64 {
        guard let frame = upcoming, let intended = nextIntended else { return 0 }
        let counts = window?.contains(intended) ?? false
        var sentBytes: Int?
        if let handler, report.isConnected {
            if needsHeaders { addHeaders(frame.timestamp, handler, to: &batch) }
            let isDecodable = frame.kind == .audio || frame.isKeyFrame || !needsKeyFrame
            if isDecodable, handler.queuedBytes <= options.queueByteLimit {
                switch frame.kind {
                case .video:
                    let stamp = FrameStamp(
                        streamID: spec.streamID, frameNumber: frameNumber,
                        intendedNanoseconds: intended,
                        latenessMicroseconds: UInt32(clamping: (now - intended) / 1000))
                    sentBytes = add(video: frame, stamp, handler, to: &batch)
                case .audio: sentBytes = add(audio: frame, handler, to: &batch)
                }
            }
        }
        if frame.kind == .video { needsKeyFrame = sentBytes == nil }
        account(frame.kind, intended: intended, sentBytes: sentBytes, counts: counts)
        plan(try? source.nextShared())
        return now - intended
    }

    /// Adds a video frame with its stamp. The stamp is written into the batch, which spares a copy
    /// of the payload, if the payload has a place for it within the first chunk.
    /// - Returns: Length of the payload in bytes, with the stamp; nil if it cannot be sent.
    private func add(
        video frame: SourceFrame, _ stamp: FrameStamp, _ handler: PublishHandler,
        to batch: inout ByteBuffer
    ) -> Int? {
        if let offset = frame.stampOffset, offset + FrameStamp.fieldsLength <= options.chunkSize {
            guard
                let place = handler.add(
                    .video, timestamp: frame.timestamp, payload: frame.payload, to: &batch)
            else { return nil }
            stamp.patch(&batch, at: place + offset)
            return frame.payload.readableBytes
        }
        var stamped = frame
        stamped.stamp(stamp, nalUnitLengthSize: source.nalUnitLengthSize)
        let place = handler.add(
            .video, timestamp: frame.timestamp, payload: stamped.payload, to: &batch)
        return place == nil ? nil : stamped.payload.readableBytes
    }

    /// Adds an audio frame with its counter, in the same way.
    private func add(
        audio frame: SourceFrame, _ handler: PublishHandler, to batch: inout ByteBuffer
    ) -> Int? {
        let counter = frame.counter
        let isPatched =
            counter.map { $0.offset + SourceFrame.Counter.length <= options.chunkSize } ?? true
        var payload = frame.payload
        if !isPatched { counter?.write(into: &payload) }
        guard
            let place = handler.add(
                .audio, timestamp: frame.timestamp, payload: payload, to: &batch)
        else { return nil }
        if isPatched { counter?.write(into: &batch, at: place) }
        return frame.payload.readableBytes
    }

    private func account(
        _ kind: SourceFrame.Kind, intended: Int64, sentBytes: Int?, counts: Bool
    ) {
        // One access to the report for each frame: every access checks that no other is under way.
        report.count(
            kind, number: frameNumber, intended: intended, sentBytes: sentBytes, isInWindow: counts)
        guard kind == .video else { return }
        frameNumber += 1
        guard sentBytes == nil else {
            (isAway, hasGap) = (false, false)
            return
        }
        if isAway { report.framesWhileAway += 1 }
        if hasGap {
            report.framesInGap = (report.framesInGap ?? 0) + 1
            if counts { countInGap(frameNumber &- 1) }
        }
    }

    /// Counts a frame of the window that was not sent because of the planned gap.
    private func countInGap(_ number: UInt64) {
        report.windowFramesInGap = (report.windowFramesInGap ?? 0) + 1
        report.windowFirstFrameInGap = report.windowFirstFrameInGap ?? number
        report.windowLastFrameInGap = number
    }

    private func addHeaders(
        _ timestamp: UInt32, _ handler: PublishHandler, to batch: inout ByteBuffer
    ) {
        needsHeaders = false
        var metadata = ByteBuffer()
        AMF0.write(.string("@setDataFrame"), into: &metadata)
        AMF0.write(.string("onMetaData"), into: &metadata)
        let properties = source.metadata.map { entry -> AMFValue.Property in
            let value: AMFValue =
                switch entry.value {
                case .number(let number): .number(number)
                case .string(let string): .string(string)
                case .boolean(let flag): .boolean(flag)
                }
            return .init(entry.name, value)
        }
        AMF0.write(.ecmaArray(properties), into: &metadata)
        _ = handler.add(.dataAMF0, timestamp: 0, payload: metadata, to: &batch)
        if let header = source.videoSequenceHeader {
            _ = handler.add(.video, timestamp: timestamp, payload: header, to: &batch)
        }
        if let header = source.audioSequenceHeader {
            _ = handler.add(.audio, timestamp: timestamp, payload: header, to: &batch)
        }
    }

    /// Whether the event loop has nothing to do for this stream: it is connected, no bytes wait for
    /// its socket, and its connection is not to be broken at a given time.
    var isSteady: Bool {
        report.isConnected && handler?.isDirect == true && spec.gap == nil
    }

    /// Sends what `addNext` has added to `batch`, and empties the batch.
    func send(_ batch: inout ByteBuffer) {
        handler?.send(batch)
        batch.clear()
    }

    func stop() {
        isStopping = true
        handler?.finish()
    }
}
