/// Accounts for each captured packet exactly once: its segment is counted with a connection, it is
/// passed over with a reason, or it was captured before.
final class PacketSorter {
    /// Outcome of a segment that was handed on.
    enum Verdict {
        case understood
        case passedOver(PassedOver.Reason)
        /// The segment was captured before, in other pieces or under other addresses, at these
        /// origins.
        case copy([UInt32])
    }

    /// Whether the capture holds no packet twice.
    private let seesPacketsOnce: Bool
    private(set) var packets = 0
    private(set) var understoodPackets = 0
    private(set) var duplicates = 0
    private(set) var fragmentPackets = 0
    private(set) var passedOver = PassedOverCounts()
    var copies = CopyFilter()
    private var fragments = FragmentTable()
    private var translations = TranslationTable()
    private var lostFragments = 0
    private var ethernet = EthernetOrigin()

    init(seesPacketsOnce: Bool = false) { self.seesPacketsOnce = seesPacketsOnce }

    /// Reads the next packet and hands on its segment, or the segment of the fragments that it
    /// completes. Returns false if the packet was captured before.
    func sort(
        _ parsed: ParsedPacket, time: Int64, length: Int, use: (CapturedTCPSegment) -> Verdict
    ) -> Bool {
        packets += 1
        let before = duplicates
        take(parsed, packets: 1, time, length, use)
        return duplicates == before
    }

    /// Counts a plain packet as a copy if it was captured before; other packets are remembered but
    /// not counted. Returns whether the packet is a copy.
    func takeCopy(_ packet: PlainPacket, time: Int64, length: Int) -> Bool {
        ethernet.update(packet.frame)
        guard
            copies.isCopy(
                packet.identity, origin: ethernet.origin, originHash: ethernet.hash, time: time)
        else { return false }
        packets += 1
        duplicate(1, length)
        return true
    }

    /// Returns the origin of an Ethernet frame without tags, which has a complete Ethernet header.
    func origin(of frame: UnsafeRawBufferPointer) -> PacketOrigin {
        ethernet.update(frame)
        return ethernet.origin
    }

    /// Ends the capture: no more packets come.
    func finish() {
        fragments.finish()
        countLostFragments()
    }

    /// - Parameter count: Number of captured packets that the segment came in.
    private func take(
        _ parsed: ParsedPacket, packets count: Int, _ time: Int64, _ length: Int,
        _ use: (CapturedTCPSegment) -> Verdict
    ) {
        switch parsed {
        case .tcp(let segment):
            if isCopy(segment.identity, segment.origin, time) {
                duplicate(count, length)
                return
            }
            switch use(segment) {
            case .understood: understoodPackets += count
            case .passedOver(let reason): passedOver.add(.init(reason, packets: count))
            case .copy(let origins):
                for origin in origins { copies.involve(origin) }
                duplicate(count, length)
            }
        case .fragment(let fragment):
            if isCopy(fragment.identity, fragment.origin, time) {
                duplicate(count, length)
                return
            }
            fragmentPackets += count
            put(fragment, packets: count, time, length, use)
            countLostFragments()
        case .duplicate:
            packets -= count
            duplicates += count
        case .passedOver(var passed):
            passed.packets = count
            passedOver.add(passed)
        }
    }

    private func isCopy(
        _ identity: PacketIdentity, _ origin: PacketOrigin, _ time: Int64
    ) -> Bool {
        !seesPacketsOnce
            && copies.isCopy(identity, origin: origin, originHash: origin.hash, time: time)
    }

    private func duplicate(_ count: Int, _ length: Int) {
        packets -= count
        duplicates += count
        copies.add(copies: count, bytes: length)
    }

    /// Adds a fragment to its packet, and continues with the packet once it is complete.
    private func put(
        _ fragment: IPFragment, packets count: Int, _ time: Int64, _ length: Int,
        _ use: (CapturedTCPSegment) -> Verdict
    ) {
        switch fragments.add(fragment, packets: count, time: time) {
        case .waiting: return
        case .refused: passedOver.add(.init(.fragments, packets: count))
        case .whole(let bytes, let key, let context, let headersLength, let count):
            bytes.withUnsafeBytes { bytes in
                var walk = PacketWalk(
                    bytes, wire: bytes.count, context: context, offset: headersLength)
                let inner = walk.walk(from: .transport(key.protocolNumber))
                take(inner, packets: count, time, length, use)
            }
        }
    }

    private func countLostFragments() {
        let lost = fragments.lostPackets - lostFragments
        guard lost > 0 else { return }
        lostFragments += lost
        passedOver.add(.init(.fragments, packets: lost))
    }

    /// Origins at which a segment was captured before in other pieces, or at which its connection
    /// was captured under other addresses; nil if the segment is new.
    func otherSights(of segment: CapturedTCPSegment, _ flow: Flow, time: Int64) -> [UInt32]? {
        // Only a capture that distinguishes interfaces can show a packet twice in another form.
        guard segment.origin.isTold else { return nil }
        let origin = segment.origin.hash
        if let mark = segment.openingMark,
            let original = translations.original(
                of: mark, flow: FlowKey(flow.client, flow.server), origin: origin, time: time)
        {
            flow.isTranslation = true
            return [origin, original.origin]
        }
        if flow.isTranslation { return [origin] }
        let half = flow.half(up: segment.source == flow.client)
        if let origins = half.history.cover(segment, origin: origin, time: time) {
            return origins + [origin]
        }
        if segment.payloadLength > 0 { half.history.add(segment, origin: origin, time: time) }
        return nil
    }
}
