import SimulationKernel

/// Turns captured packets into streams, rates and relay delays. The analyzer is sans-IO: it takes
/// packets with their capture times and returns the report; it reads no clock and no device.
/// Threads must not share an analyzer.
public struct CaptureAnalyzer: ~Copyable {
    /// Options, which may change during the analysis, except for the server ports and
    /// `seesPacketsOnce`; the window should be set before it begins.
    public var options: CaptureOptions
    var summary = CaptureSummary()
    var flows: [FlowKey: Flow] = [:]
    let streams: StreamTable
    let http: HTTPTable
    /// HTTP responses that edges sent.
    let edgeHTTP: HTTPTable
    /// Traffic of connections that the analyzer no longer follows.
    var retired: [UInt16: PortReport] = [:]
    var retainedBytes = 0
    private var packetsUntilSweep = 0
    let sorter: PacketSorter
    let seesPacketsOnce: Bool
    /// Number of plain packets that were counted. The sorter does not count them.
    var plainPackets = 0
    var recent = FlowCache()

    public init(options: CaptureOptions = CaptureOptions()) {
        self.options = options
        seesPacketsOnce = options.seesPacketsOnce
        sorter = PacketSorter(seesPacketsOnce: options.seesPacketsOnce)
        streams = StreamTable(options)
        http = HTTPTable(options)
        edgeHTTP = HTTPTable(options)
    }

    /// Reports the stamped frames of one more client one by one, from now on.
    public mutating func recordFrames(ofClientPort port: UInt16) {
        options.frameClientPorts.insert(port)
        for flow in flows.values where flow.client.port == port { setFrames(flow) }
    }

    /// Sets the number of packets that the capture has lost so far, or nil if it is unknown.
    public mutating func setDroppedPackets(_ count: Int?) { summary.droppedPackets = count }

    /// Processes the next captured packet.
    /// - Parameters:
    ///   - timestampNanoseconds: Real time, since 1970.
    ///   - captured: The bytes captured, from the link header on.
    ///   - originalLength: Bytes on the wire.
    ///   - interface: The number that the capture gives to the interface, if the capture has
    ///     several.
    public mutating func packet(
        timestampNanoseconds time: Int64, linkType: LinkType, captured: UnsafeRawBufferPointer,
        originalLength: Int, interface: UInt32? = nil
    ) {
        // No packet is longer than the longest record that a capture may hold: a larger number is
        // garbage.
        let originalLength = max(
            captured.count, min(originalLength, PcapReader.capturedLengthLimit))
        if linkType == .ethernet, interface == nil,
            let plain = PlainPacket(captured, wire: originalLength)
        {
            if takePlain(plain, time: time, length: originalLength) { return }
            let origin = sorter.origin(of: captured)
            take(.tcp(plain.segment(origin: origin)), time, captured.count, originalLength)
        } else {
            let parsed = PacketParser.parse(
                captured, linkType: linkType, originalLength: originalLength, interface: interface)
            take(parsed, time, captured.count, originalLength)
        }
    }

    /// Sorts and counts a packet that is not plain.
    ///
    /// - Parameters:
    ///   - captured: Number of bytes that were captured.
    ///   - length: Bytes on the wire.
    private mutating func take(
        _ parsed: ParsedPacket, _ time: Int64, _ captured: Int, _ length: Int
    ) {
        setHTTPWindows()
        let isNew = sorter.sort(parsed, time: time, length: length) { take($0, time) }
        guard isNew else { return }
        var isCut = captured < length
        if case .tcp(let segment) = parsed, segment.isCut { isCut = true }
        note(time: time, captured: captured, length: length, isCut: isCut)
    }

    private func setHTTPWindows() {
        http.window = options.window
        edgeHTTP.window = options.window
    }

    /// Ends the analysis: bytes that waited for missing ones are dissected without them.
    public mutating func finish() {
        setHTTPWindows()
        for flow in flows.values {
            expire(flow, summary.lastNanoseconds ?? 0, force: true)
            flow.response.finish()
        }
        sorter.finish()
    }

    /// Counts a segment with its connection, unless its port is not analysed or it was captured
    /// before.
    private mutating func take(
        _ segment: CapturedTCPSegment, _ time: Int64
    ) -> PacketSorter.Verdict {
        if segment.flags & CapturedTCPSegment.syn == 0,
            let known = recent.flow(segment.source, segment.destination)
        {
            return take(segment, of: known, time)
        }
        if !options.serverPorts.isEmpty,
            !options.serverPorts.contains(segment.source.port),
            !options.serverPorts.contains(segment.destination.port)
        {
            return .passedOver(.otherPorts)
        }
        guard let flow = flow(of: segment, time) else { return .passedOver(.connectionLimit) }
        return take(segment, of: flow, time)
    }

    private mutating func take(
        _ segment: CapturedTCPSegment, of flow: Flow, _ time: Int64
    ) -> PacketSorter.Verdict {
        if let origins = sorter.otherSights(of: segment, flow, time: time) {
            return .copy(origins)
        }
        follow(segment, flow, time)
        return .understood
    }

    private mutating func follow(_ segment: CapturedTCPSegment, _ flow: Flow, _ time: Int64) {
        let up = segment.source == flow.client
        flow.lastTime = time
        let half = flow.half(up: up)
        if segment.flags & CapturedTCPSegment.syn != 0 {
            if let size = segment.maximumSegmentSize {
                flow.maximumSegmentSize = min(flow.maximumSegmentSize ?? size, size)
            }
            half.initialSequence = segment.sequence
            half.progress.reassembler.synchronize(segment.sequence)
        }
        if segment.flags & CapturedTCPSegment.ack != 0 {
            half.progress.acknowledgement = segment.acknowledgement
        }
        if segment.payloadLength > 0 || segment.flags & CapturedTCPSegment.syn == 0 {
            account(segment, up: up, flow, time)
        }
        expire(flow, time, force: false)
        let retained = flow.currentRetainedBytes
        retainedBytes += retained - flow.retainedBytes
        flow.retainedBytes = retained
        if retainedBytes > options.retainedBytesLimit {
            expire(flow, time, force: true)
            flow.giveUp()
            flow.upstream.history = SegmentHistory()
            flow.downstream.history = SegmentHistory()
            retainedBytes += flow.currentRetainedBytes - flow.retainedBytes
            flow.retainedBytes = flow.currentRetainedBytes
        }
        if segment.flags & CapturedTCPSegment.rst != 0 {
            flow.isReset = true
            if up { flow.response.reset() }
        }
        if segment.flags & CapturedTCPSegment.fin != 0 {
            half.hasFinished = true
            if !up, !half.progress.reassembler.isWaiting { flow.response.closed() }
        }
    }

    /// Counts a segment and passes on its payload.
    private mutating func account(
        _ segment: CapturedTCPSegment, up: Bool, _ flow: Flow, _ time: Int64
    ) {
        var segment = segment
        var sequence = segment.sequence
        if segment.flags & CapturedTCPSegment.syn != 0 { sequence &+= 1 }
        let half = flow.half(up: up)
        if segment.isCut { half.progress.isCut = true }
        if !half.isFollowed { segment.payload = segment.payload.upTo(0) }
        var gaps = 0
        var gapBytes = 0
        var cutBytes = 0
        let isFollowed = half.isFollowed
        let offset = half.progress.reassembler.offset(of: sequence)
        let retransmitted = half.progress.reassembler.accept(
            sequence: sequence, payload: segment.payload, length: segment.payloadLength, time: time
        ) { event, time in
            switch event {
            case .gap(let length) where isFollowed:
                gaps += 1
                gapBytes += length
            case .cut(let length) where isFollowed: cutBytes += length
            default: break
            }
            FlowDissector.receive(event, up: up, time: time, flow) {
                streams.receive($0, flow, time: time, options)
            }
        }
        summary.gaps += gaps
        summary.gapBytes += gapBytes
        summary.cutBytes += cutBytes
        count(segment, up: up, flow, time, offset: offset, retransmitted: retransmitted)
    }

    private func count(
        _ segment: CapturedTCPSegment, up: Bool, _ flow: Flow, _ time: Int64, offset: Int,
        retransmitted: Int
    ) {
        var traffic = TrafficCounters()
        let (segments, linkBytes) = traffic.add(
            segment.lengths, time: time, maximumSegmentSize: flow.maximumSegmentSize)
        traffic.retransmittedBytes = retransmitted
        let isInWindow = options.window?.contains(time) ?? true
        let half = flow.half(up: up)
        if isInWindow { half.progress.traffic.add(traffic) }
        if case .http = flow.dialect, !up, segments > 0,
            flow.roles.isEmpty || flow.downstream.isFollowed
        {
            flow.response.account(
                .init(
                    offset: offset, length: segment.payloadLength, linkBytes: linkBytes,
                    retransmitted: retransmitted, isInWindow: isInWindow))
        }
        guard segments > 0 else { return }
        half.series?.add(
            time: time, linkBytes: linkBytes, segments: segments,
            retransmittedBytes: retransmitted)
    }

    private mutating func expire(_ flow: Flow, _ time: Int64, force: Bool) {
        flow.updateWaiting()
        guard flow.isWaiting else { return }
        defer { flow.updateWaiting() }
        for up in [true, false] {
            let half = flow.half(up: up)
            guard half.progress.reassembler.isWaiting else { continue }
            var gaps = 0
            var gapBytes = 0
            let isFollowed = half.isFollowed
            half.progress.reassembler.expire(
                time: time, acknowledged: flow.half(up: !up).progress.acknowledgement,
                force: force
            ) { event, time in
                if case .gap(let length) = event, isFollowed {
                    gaps += 1
                    gapBytes += length
                }
                FlowDissector.receive(event, up: up, time: time, flow) {
                    streams.receive($0, flow, time: time, options)
                }
            }
            summary.gaps += gaps
            summary.gapBytes += gapBytes
        }
    }

    private func setFrames(_ flow: Flow) {
        flow.keepsIngressFrames = options.ingressFrameLimit > 0
        flow.keepsFrames = options.frameClientPorts.contains(flow.client.port)
        flow.response.wantsStamps = flow.keepsFrames
    }
}

extension CaptureAnalyzer {
    /// Ports that are taken for the server's if no SYN shows which end is the server.
    private static let usualServerPorts: Set<UInt16> = [80, 1935, 8000, 8080]

    /// Returns the connection that a segment belongs to; makes a new one if the segment is its SYN.
    private mutating func flow(of segment: CapturedTCPSegment, _ time: Int64) -> Flow? {
        let key = FlowKey(segment.source, segment.destination)
        let isOpening =
            segment.flags & (CapturedTCPSegment.syn | CapturedTCPSegment.ack)
            == CapturedTCPSegment.syn
        if let known = flows[key] {
            let isRepeated =
                segment.source == known.client
                && known.upstream.initialSequence == segment.sequence
            guard isOpening, !isRepeated else {
                recent.put(known)
                return known
            }
            // A new connection uses the same ports.
            retire(key, known, time)
        }
        if flows.count >= options.flowLimit { sweep(time) }
        guard flows.count < options.flowLimit else {
            if isOpening || segment.payloadLength == 0 { summary.ignoredFlows += isOpening ? 1 : 0 }
            return nil
        }
        let isFromClient = isFromClient(segment)
        let server = isFromClient ? segment.destination : segment.source
        let flow = Flow(
            client: isFromClient ? segment.source : segment.destination, server: server,
            http: options.edgePorts.contains(server.port) ? edgeHTTP : http)
        setFrames(flow)
        flows[key] = flow
        recent.put(flow)
        summary.flows += 1
        return flow
    }

    private func isFromClient(_ segment: CapturedTCPSegment) -> Bool {
        if segment.flags & CapturedTCPSegment.syn != 0 {
            return segment.flags & CapturedTCPSegment.ack == 0
        }
        for ports in [options.serverPorts, Self.usualServerPorts] {
            let source = ports.contains(segment.source.port)
            if source != ports.contains(segment.destination.port) { return !source }
        }
        return segment.source.port > segment.destination.port
    }

    private mutating func retire(_ key: FlowKey, _ flow: Flow, _ time: Int64) {
        expire(flow, time, force: true)
        Self.add(flow, to: &retired)
        summary.outOfOrderSegments += flow.outOfOrderSegments
        retainedBytes -= flow.retainedBytes
        flow.retainedBytes = 0
        flow.lose(up: true)
        flow.lose(up: false)
        flow.upstream.progress.reassembler = TCPReassembler()
        flow.downstream.progress.reassembler = TCPReassembler()
        flow.roles = []
        // The cache does not own the connection.
        recent.remove(flow)
        flows[key] = nil
    }

    /// Makes room: closed connections go first, then connections that were silent for a minute.
    private mutating func sweep(_ time: Int64) {
        packetsUntilSweep -= 1
        guard packetsUntilSweep <= 0 else { return }
        packetsUntilSweep = 10_000
        for (key, flow) in flows
        where flow.isClosed || time &- flow.lastTime > 60_000_000_000 {
            retire(key, flow, time)
        }
    }

    static func add(_ flow: Flow, to ports: inout [UInt16: PortReport]) {
        ports[flow.server.port, default: PortReport(port: flow.server.port)].add(flow)
    }
}

extension PortReport {
    fileprivate mutating func add(_ flow: Flow) {
        guard !flow.isTranslation else { return }
        flows += 1
        if flow.isUndissected { undissectedFlows += 1 }
        if flow.isUndissectedForCuts { cutFlows += 1 }
        if flow.isUndissected, flow.isEncrypted { encryptedFlows += 1 }
        upstream.add(flow.upstream.traffic)
        downstream.add(flow.downstream.traffic)
    }
}
