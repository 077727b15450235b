import CPcap
import Capture
import Glibc

/// An open libpcap device, owned by one thread at a time.
struct PcapHandle {
    /// Least size of the ring in bytes; a smaller ring loses packets when the reading thread is
    /// held up.
    static let minimumRingBytes = 16 << 20
    /// Time in milliseconds for which the kernel fills a block of the ring before it hands it over.
    static let blockTimeout: Int32 = 20

    let device: OpaquePointer
    let linkType: LinkType
    let hasNanoseconds: Bool
    let selectableDescriptor: Int32
    /// Whether the device delivers no packet twice. libpcap keeps one of the two copies of a packet
    /// on the loopback interface.
    let seesPacketsOnce: Bool

    init(
        interface: String, filter: String, snapLength: Int, ringBytes: Int
    ) throws(CaptureError) {
        var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        guard let device = pcap_create(interface, &message) else {
            throw CaptureError(.device, "cannot open \(interface): \(Self.text(message))")
        }
        do throws(CaptureError) {
            pcap_set_snaplen(device, Int32(clamping: max(96, snapLength)))
            pcap_set_promisc(device, 0)
            pcap_set_timeout(device, Self.blockTimeout)
            pcap_set_buffer_size(
                device, Int32(clamping: max(Self.minimumRingBytes, min(ringBytes, 1 << 30))))
            pcap_set_tstamp_precision(device, PCAP_TSTAMP_PRECISION_NANO)
            try Self.activate(device, interface)
            if interface == Self.loopback { Self.ignoreOutgoing(device) }
            // On the interface 'any', the second version of cooked headers distinguishes the
            // interfaces; a device without it stays as it is.
            if pcap_datalink(device) == Int32(LinkType.linuxSLL.rawValue) {
                pcap_set_datalink(device, Int32(LinkType.linuxSLL2.rawValue))
            }
            try Self.install(filter, device)
            guard pcap_setnonblock(device, 1, &message) == 0 else {
                throw CaptureError(.device, "cannot poll \(interface): \(Self.text(message))")
            }
        } catch {
            pcap_close(device)
            throw error
        }
        self.device = device
        seesPacketsOnce = interface == Self.loopback
        linkType = LinkType(rawValue: UInt32(clamping: pcap_datalink(device)))
        hasNanoseconds = pcap_get_tstamp_precision(device) == PCAP_TSTAMP_PRECISION_NANO
        selectableDescriptor = pcap_get_selectable_fd(device)
    }

    private static let loopback = "lo"
    /// SOL_PACKET and PACKET_IGNORE_OUTGOING of packet(7).
    private static let packetLevel: Int32 = 263
    private static let ignoreOutgoingOption: Int32 = 23

    /// Keeps the outgoing copies of loopback packets out of the ring. libpcap discards them anyway,
    /// after the kernel has copied them. Kernels before 4.20 do not know the option; then libpcap
    /// goes on discarding them.
    private static func ignoreOutgoing(_ device: OpaquePointer) {
        var isOn: Int32 = 1
        _ = setsockopt(
            pcap_fileno(device), packetLevel, ignoreOutgoingOption, &isOn,
            socklen_t(MemoryLayout<Int32>.size))
    }

    private static func activate(
        _ device: OpaquePointer, _ interface: String
    ) throws(CaptureError) {
        let status = pcap_activate(device)
        guard status < 0 else { return }
        let reason = String(cString: pcap_geterr(device))
        switch status {
        case PCAP_ERROR_PERM_DENIED, PCAP_ERROR_PROMISC_PERM_DENIED:
            throw CaptureError(
                .permission,
                "capturing on \(interface) is not permitted: run as root, or give the binary the "
                    + "right with 'setcap cap_net_raw+ep' (\(reason))")
        case PCAP_ERROR_NO_SUCH_DEVICE:
            throw CaptureError(
                .device, "there is no interface \(interface): 'ip link' lists them (\(reason))")
        case PCAP_ERROR_IFACE_NOT_UP:
            throw CaptureError(
                .device, "\(interface) is down: 'ip link set \(interface) up' (\(reason))")
        default:
            let general = String(cString: pcap_statustostr(status))
            throw CaptureError(.device, "cannot capture on \(interface): \(general) (\(reason))")
        }
    }

    private static func install(_ filter: String, _ device: OpaquePointer) throws(CaptureError) {
        var program = bpf_program()
        guard pcap_compile(device, &program, filter, 1, UInt32.max) == 0 else {
            throw CaptureError(
                .filter,
                "the filter '\(filter)' is not valid: \(String(cString: pcap_geterr(device)))")
        }
        defer { pcap_freecode(&program) }
        guard pcap_setfilter(device, &program) == 0 else {
            throw CaptureError(
                .filter, "cannot set the filter: \(String(cString: pcap_geterr(device)))")
        }
    }

    /// Counts of the kernel so far; nil if the kernel does not state them.
    func statistics() -> CaptureStatistics? {
        var counts = pcap_stat()
        guard pcap_stats(device, &counts) == 0 else { return nil }
        return CaptureStatistics(
            received: Int(counts.ps_recv), dropped: Int(counts.ps_drop),
            droppedByInterface: Int(counts.ps_ifdrop))
    }

    private static func text(_ message: [CChar]) -> String {
        String(
            decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Counts of the kernel since a capture began (`pcap_stats`).
public struct CaptureStatistics: Codable, Hashable, Sendable {
    /// Number of packets received, lost ones included. On the interface `any`, and before Linux
    /// 4.20 on `lo`, the outgoing copies of loopback packets count as well.
    public var received = 0
    /// Number of packets dropped because the ring was full.
    public var dropped = 0
    public var droppedByInterface = 0
}
