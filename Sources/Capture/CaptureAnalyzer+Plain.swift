import SimulationKernel

extension CaptureAnalyzer {
    /// Counts a packet whose headers say all that there is to know: a bare acknowledgement, or the
    /// next payload of a direction that is not dissected. Returns false, and has changed nothing, if
    /// the packet needs more.
    ///
    /// - Parameters:
    ///   - captured: Number of bytes that were captured.
    ///   - length: Bytes on the wire.
    mutating func takePlain(
        _ packet: PlainPacket, time: Int64, captured: Int, length: Int
    ) -> Bool {
        let ends = CapturedTCPSegment.fin | CapturedTCPSegment.rst
        guard packet.flags & ends == 0, retainedBytes <= options.retainedBytesLimit,
            let flow = recent.flow(packet.source, packet.destination),
            options.serverPorts.isEmpty || options.serverPorts.contains(flow.server.port),
            !flow.upstream.reassembler.isWaiting, !flow.downstream.reassembler.isWaiting
        else { return false }
        let up = packet.source == flow.client
        let half = flow.half(up: up)
        if packet.payloadLength > 0 {
            guard !half.isFollowed, half.reassembler.isNext(packet.sequence) else { return false }
            // The bytes of an HTTP response belong to its resource even if nothing is dissected.
            if case .http = flow.dialect, !up, flow.roles.isEmpty { return false }
        }
        let isNew = sorter.takePlain(
            packet.identity, ethernet.origin, originHash: ethernet.hash, time: time, length: length)
        guard isNew else { return true }
        flow.lastTime = time
        if packet.flags & CapturedTCPSegment.ack != 0 {
            half.acknowledgement = packet.acknowledgement
        }
        let isCut = packet.isCut
        if isCut { half.isCut = true }
        if packet.payloadLength > 0 { half.reassembler.pass(packet.payloadLength) }
        var counted = (segments: 0, linkBytes: 0)
        let size = flow.maximumSegmentSize
        if options.window?.contains(time) ?? true {
            counted = half.traffic.add(packet.lengths, time: time, maximumSegmentSize: size)
        } else {
            var traffic = TrafficCounters()
            counted = traffic.add(packet.lengths, time: time, maximumSegmentSize: size)
        }
        flow.addToStream(
            up: up, time, segments: counted.segments, linkBytes: counted.linkBytes,
            retransmitted: 0)
        note(time: time, captured: captured, length: length, isCut: isCut || captured < length)
        return true
    }

    /// Counts the bytes of a new packet.
    mutating func note(time: Int64, captured: Int, length: Int, isCut: Bool) {
        if isCut {
            summary.cutPackets += 1
            summary.cutLength = max(summary.cutLength, captured)
        }
        summary.bytes.add(clamping: length)
        summary.firstNanoseconds = min(summary.firstNanoseconds ?? time, time)
        summary.lastNanoseconds = max(summary.lastNanoseconds ?? time, time)
    }
}

extension Flow {
    /// Counts segments with the stream that the connection published or played last.
    func addToStream(
        up: Bool, _ time: Int64, segments: Int, linkBytes: Int, retransmitted: Int
    ) {
        guard segments > 0, let role = roles.last else { return }
        if up, role.subscriber == nil {
            role.stream.upstream.add(
                time: time, linkBytes: linkBytes, segments: segments,
                retransmittedBytes: retransmitted)
        } else if !up, role.subscriber != nil {
            role.stream.downstream.add(
                time: time, linkBytes: linkBytes, segments: segments,
                retransmittedBytes: retransmitted)
        }
    }
}
