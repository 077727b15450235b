import SimulationKernel

/// What became of a plain packet.
enum PlainVerdict {
    /// The packet needs more than its headers, and has changed nothing.
    case needsMore
    /// The packet was captured before, and was counted as a copy.
    case copy
    /// The packet was counted with its connection.
    case counted(segments: Int, linkBytes: Int)
}

extension CaptureAnalyzer {
    /// Counts a packet whose headers say all that there is to know: a bare acknowledgement, or the
    /// next payload of a direction that is not dissected. Returns false, and has changed nothing, if
    /// the packet needs more. A connection in the cache was chosen by its ports when it began.
    ///
    /// - Parameter length: Bytes on the wire.
    @inline(__always)
    mutating func takePlain(_ packet: PlainPacket, time: Int64, length: Int) -> Bool {
        let ends = CapturedTCPSegment.fin | CapturedTCPSegment.rst
        guard packet.flags & ends == 0, retainedBytes <= options.retainedBytesLimit,
            let flow = recent.reference(packet.source, packet.destination)
        else { return false }
        let isInWindow = options.window?.contains(time) ?? true
        let copies = seesPacketsOnce ? nil : sorter
        let verdict = flow._withUnsafeGuaranteedRef {
            $0.takePlain(
                packet, time: time, length: length, isInWindow: isInWindow, copies: copies)
        }
        switch verdict {
        case .needsMore: return false
        case .copy: return true
        case .counted:
            plainPackets += 1
            let captured = packet.frame.count
            note(
                time: time, captured: captured, length: length,
                isCut: packet.isCut || captured < length)
            return true
        }
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
    /// Counts a plain packet of this connection.
    ///
    /// - Parameters:
    ///   - length: Bytes on the wire.
    ///   - isInWindow: Whether the traffic of this time counts.
    ///   - copies: Sorter that finds copies; nil if the capture holds no packet twice.
    @inline(__always)
    fileprivate func takePlain(
        _ packet: PlainPacket, time: Int64, length: Int, isInWindow: Bool, copies: PacketSorter?
    ) -> PlainVerdict {
        guard !isWaiting else { return .needsMore }
        let verdict: PlainVerdict
        // Each direction is called by its name, because a variable that holds one of them would
        // cost a reference count.
        if packet.source == client {
            verdict = upstream.takePlain(
                packet, time: time, length: length, isInWindow: isInWindow,
                maximumSegmentSize: maximumSegmentSize, copies: copies)
        } else {
            // The bytes of an HTTP response belong to its resource even if nothing is dissected.
            if packet.payloadLength > 0, case .http = dialect, !hasRoles { return .needsMore }
            verdict = downstream.takePlain(
                packet, time: time, length: length, isInWindow: isInWindow,
                maximumSegmentSize: maximumSegmentSize, copies: copies)
        }
        if case .counted = verdict { lastTime = time }
        return verdict
    }
}

extension FlowHalf {
    fileprivate func takePlain(
        _ packet: PlainPacket, time: Int64, length: Int, isInWindow: Bool,
        maximumSegmentSize: Int?, copies: PacketSorter?
    ) -> PlainVerdict {
        if packet.payloadLength > 0, isFollowed { return .needsMore }
        let verdict = progress.takePlain(
            packet, time: time, length: length, isInWindow: isInWindow,
            maximumSegmentSize: maximumSegmentSize, copies: copies)
        if case .counted(let segments, let linkBytes) = verdict, segments > 0, let series {
            series.add(
                time: time, linkBytes: linkBytes, segments: segments, retransmittedBytes: 0)
        }
        return verdict
    }
}

extension FlowProgress {
    /// Counts a packet that nobody dissects, if its payload is the next one.
    @inline(__always)
    fileprivate mutating func takePlain(
        _ packet: PlainPacket, time: Int64, length: Int, isInWindow: Bool,
        maximumSegmentSize: Int?, copies: PacketSorter?
    ) -> PlainVerdict {
        if packet.payloadLength > 0, !reassembler.isNext(packet.sequence) { return .needsMore }
        if let copies, copies.takeCopy(packet, time: time, length: length) { return .copy }
        if packet.flags & CapturedTCPSegment.ack != 0 { acknowledgement = packet.acknowledgement }
        if packet.isCut { isCut = true }
        if packet.payloadLength > 0 { reassembler.pass(packet.payloadLength) }
        let counted: (segments: Int, linkBytes: Int)
        if isInWindow {
            counted = traffic.add(
                packet.lengths, time: time, maximumSegmentSize: maximumSegmentSize)
        } else {
            var outside = TrafficCounters()
            counted = outside.add(
                packet.lengths, time: time, maximumSegmentSize: maximumSegmentSize)
        }
        return .counted(segments: counted.segments, linkBytes: counted.linkBytes)
    }
}
