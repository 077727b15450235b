/// Names files that are not pcap or pcapng by their first bytes, and says how to convert them.
enum CaptureFileKind {
    /// Number of bytes that are examined.
    static let headLength = 64

    private static let compressed: [(magic: [UInt8], name: String, mend: String)] = [
        ([0x1F, 0x8B], "gzip-compressed once more", "zcat FILE | millrace analyze -"),
        ([0x28, 0xB5, 0x2F, 0xFD], "zstd-compressed", "zstdcat FILE | millrace analyze -"),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "xz-compressed", "xzcat FILE | millrace analyze -"),
        ([0x5D, 0, 0], "lzma-compressed", "xzcat FILE | millrace analyze -"),
        ([0x04, 0x22, 0x4D, 0x18], "lz4-compressed", "lz4cat FILE | millrace analyze -"),
        ([0x02, 0x21, 0x4C, 0x18], "lz4-compressed", "lz4cat FILE | millrace analyze -"),
        (Array("BZh".utf8), "bzip2-compressed", "bzcat FILE | millrace analyze -"),
        ([0x1F, 0x9D], "compressed (.Z)", "zcat FILE | millrace analyze -"),
        (Array("LZIP".utf8), "lzip-compressed", "lzip -dc FILE | millrace analyze -"),
        (
            [0x89, 0x4C, 0x5A, 0x4F, 0], "lzop-compressed", "lzop -dc FILE | millrace analyze -"
        ),
        (
            [0xFF, 6, 0, 0, 0x73, 0x4E, 0x61, 0x50], "snappy-compressed",
            "snzip -dc FILE | millrace analyze -"
        ),
        ([0x37, 0x7A, 0xBC, 0xAF], "a 7z archive", "7z x -so FILE | millrace analyze -"),
        ([0x50, 0x4B, 3, 4], "a zip archive", "unzip -p FILE | millrace analyze -"),
        (Array("Rar!".utf8), "a RAR archive", "unrar p -inul FILE | millrace analyze -"),
    ]

    /// Captures that Wireshark's tools convert to pcap.
    private static let captures: [(magic: [UInt8], name: String)] = [
        (Array("snoop\0\0\0".utf8), "a Solaris snoop capture"),
        (Array("GMBU".utf8), "a Microsoft Network Monitor capture"),
        (Array("RTSS".utf8), "a Microsoft Network Monitor 1 capture"),
        (Array("btsnoop\0".utf8), "a Bluetooth btsnoop capture"),
        (Array("TRSNIFF data".utf8), "a Network General Sniffer capture"),
        (Array("XCP\0".utf8), "a NetXRay or Windows Sniffer capture"),
        (Array("iptrace ".utf8), "an AIX iptrace capture"),
        ([0x7F, 0x76, 0x65, 0x72], "a Savvius or WildPackets capture"),
        ([0xAA, 0xAA, 0xAA, 0xAA], "an Accellent 5Views capture"),
        (Array("ObserverPktBuffe".utf8), "a Network Instruments Observer capture"),
        ([0x54, 0, 1, 0], "an HP-UX nettl capture"),
    ]

    private static let others: [(magic: [UInt8], name: String)] = [
        (Array("FLV".utf8), "an FLV media file"),
        (Array("#EXTM3U".utf8), "an HLS playlist"),
        (Array("\u{7F}ELF".utf8), "a program"),
        (Array("SQLite format 3".utf8), "an SQLite database"),
        ([0x89, 0x50, 0x4E, 0x47], "a PNG picture"),
    ]

    /// Returns one sentence with the remedy for a file that begins with `head`.
    static func describe(_ head: UnsafeRawBufferPointer) -> String {
        for kind in compressed where head.starts(with: kind.magic) {
            return "the file is \(kind.name): \(kind.mend)"
        }
        // These are zstd's skippable frames, as pzstd writes them.
        if let word = head.read(UInt32.self, at: 0, bigEndian: false), word >> 4 == 0x184_D2A5 {
            return "the file is zstd-compressed: zstdcat FILE | millrace analyze -"
        }
        for kind in captures where head.starts(with: kind.magic) {
            return "the file is \(kind.name): editcap -F pcap FILE OUT.pcap, then analyze OUT.pcap"
        }
        for kind in others where head.starts(with: kind.magic) {
            return "the file is \(kind.name), not a capture: name a file that tcpdump -w wrote"
        }
        if head.from(4).starts(with: "ftyp".utf8) {
            return "the file is an MP4 media file, not a capture: name a file that tcpdump -w wrote"
        }
        if isEventTrace(head) {
            return "the file looks like a Windows event trace (.etl): etl2pcapng FILE OUT.pcapng, "
                + "then analyze OUT.pcapng"
        }
        if isERF(head) {
            return "the file looks like an Endace ERF capture: editcap -F pcap FILE OUT.pcap, then "
                + "analyze OUT.pcap"
        }
        if isText(head) {
            return "the file is text, not a capture: write packets with tcpdump -w FILE, or turn a "
                + "hex dump into a capture with text2pcap"
        }
        let hex = head.upTo(8).map { byte in
            let text = String(byte, radix: 16)
            return text.utf8.count < 2 ? "0" + text : text
        }.joined()
        return "not a capture file: byte 0 begins 0x\(hex), no pcap or pcapng magic; Wireshark's "
            + "editcap -F pcap may turn it into one"
    }

    /// Whether the bytes are text: printable ASCII, tabs and line ends, or a mark of UTF-8 or
    /// UTF-16.
    private static func isText(_ head: UnsafeRawBufferPointer) -> Bool {
        if head.starts(with: [0xEF, 0xBB, 0xBF]) || head.starts(with: [0xFF, 0xFE])
            || head.starts(with: [0xFE, 0xFF])
        {
            return true
        }
        return !head.isEmpty
            && head.allSatisfy { (0x20...0x7E).contains($0) || (0x09...0x0D).contains($0) }
    }

    /// Whether the bytes begin an event trace: a buffer header with a size that is a whole number
    /// of KiB and not less than the lengths that it states.
    private static func isEventTrace(_ head: UnsafeRawBufferPointer) -> Bool {
        guard let size = head.read(UInt32.self, at: 0, bigEndian: false),
            let saved = head.read(UInt32.self, at: 4, bigEndian: false),
            let current = head.read(UInt32.self, at: 8, bigEndian: false)
        else { return false }
        return size % 1_024 == 0 && (1_024...16 << 20).contains(size)
            && (72...size).contains(saved) && current <= size
    }

    /// Whether the bytes begin an ERF record: a time of this century, a known record type, and a
    /// length that covers its header and at most its packet. ERF has no magic number.
    private static func isERF(_ head: UnsafeRawBufferPointer) -> Bool {
        guard let seconds = head.read(UInt32.self, at: 4, bigEndian: false),
            let type = head.read(UInt8.self, at: 8),
            let recordLength = head.read(UInt16.self, at: 10),
            let wireLength = head.read(UInt16.self, at: 14)
        else { return false }
        return (946_684_800...4_102_444_800).contains(seconds) && (1...48).contains(type & 0x7F)
            && (16...10_000).contains(recordLength) && wireLength > 0 && wireLength <= 10_000
    }
}
