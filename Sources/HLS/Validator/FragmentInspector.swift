/// Tracks of an initialization section (ISO/IEC 14496-12).
public struct InitializationTracks: Sendable, Hashable {
    struct Track: Sendable, Hashable {
        var isVideo = false
        var timescale: UInt32 = 0
        /// `default_sample_flags` of `trex`.
        var sampleFlags: UInt32 = 0
    }

    var tracks: [UInt32: Track] = [:]
    public var hasVideo: Bool { tracks.values.contains { $0.isVideo } }

    /// Reads the section; nil if the bytes have no `moov` with a track.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard let movie = Boxes(bytes).first("moov") else { return nil }
        for track in Boxes(movie).all("trak") {
            guard let header = Boxes(track).first("tkhd"), let media = Boxes(track).first("mdia")
            else { continue }
            let isLong = header.first == 1
            guard let id = header.integer(at: isLong ? 20 : 12) else { continue }
            var read = Track()
            if let handler = Boxes(media).first("hdlr"), handler.count >= 12 {
                read.isVideo = handler[8..<12].elementsEqual("vide".utf8)
            }
            if let mediaHeader = Boxes(media).first("mdhd") {
                read.timescale = mediaHeader.integer(at: mediaHeader.first == 1 ? 20 : 12) ?? 0
            }
            if tracks.count < 64 { tracks[id] = read }
        }
        if let extends = Boxes(movie).first("mvex") {
            for defaults in Boxes(extends).all("trex") {
                guard let id = defaults.integer(at: 4), let flags = defaults.integer(at: 20) else {
                    continue
                }
                tracks[id]?.sampleFlags = flags
            }
        }
        guard !tracks.isEmpty else { return nil }
    }
}

/// The first fragment of a segment.
enum FragmentInspector {
    /// Reads the fragment; nil if the bytes are not boxes with a `moof`.
    static func inspect(
        _ bytes: UnsafeRawBufferPointer, tracks: InitializationTracks?
    ) -> SegmentInspection? {
        guard let fragment = Boxes(bytes).first("moof") else { return nil }
        var result = SegmentInspection(container: .fragmentedMP4)
        result.hasVideo = tracks?.hasVideo ?? false
        var others: Double?
        for run in Boxes(fragment).all("traf") {
            guard let header = Boxes(run).first("tfhd"), let id = header.integer(at: 4),
                let track = tracks?.tracks[id], let first = firstSample(run, header, track)
            else { continue }
            if track.isVideo {
                result.beginsWithKeyFrame = first.isSync
                result.startSeconds = first.seconds
            } else {
                others = others ?? first.seconds
            }
        }
        result.startSeconds = result.startSeconds ?? others
        return result
    }

    private static func firstSample(
        _ run: UnsafeRawBufferPointer, _ header: UnsafeRawBufferPointer,
        _ track: InitializationTracks.Track
    ) -> (isSync: Bool, seconds: Double?)? {
        guard let samples = Boxes(run).first("trun"), let flags = samples.integer(at: 0) else {
            return nil
        }
        var at = 8
        if flags & 0x1 != 0 { at += 4 }
        var sampleFlags = defaultFlags(header) ?? track.sampleFlags
        if flags & 0x4 != 0 {
            sampleFlags = samples.integer(at: at) ?? sampleFlags
            at += 4
        }
        if flags & 0x100 != 0 { at += 4 }
        if flags & 0x200 != 0 { at += 4 }
        if flags & 0x400 != 0 {
            // The flags of the first sample come first in the box, and take precedence.
            if flags & 0x4 == 0 { sampleFlags = samples.integer(at: at) ?? sampleFlags }
            at += 4
        }
        var offset = 0.0
        if flags & 0x800 != 0, let value = samples.integer(at: at) {
            offset = flags >> 24 == 0 ? Double(value) : Double(Int32(bitPattern: value))
        }
        var seconds: Double?
        if track.timescale > 0, let time = Boxes(run).first("tfdt") {
            let base =
                time.first == 1
                ? time.integer(at: 4).flatMap { high in
                    time.integer(at: 8).map { Double(UInt64(high) << 32 | UInt64($0)) }
                } : time.integer(at: 4).map { Double($0) }
            seconds = base.map { ($0 + offset) / Double(track.timescale) }
        }
        // This is sample_is_non_sync_sample (14496-12, 8.8.3.1).
        return (sampleFlags & 0x0001_0000 == 0, seconds)
    }

    private static func defaultFlags(_ header: UnsafeRawBufferPointer) -> UInt32? {
        guard let flags = header.integer(at: 0), flags & 0x20 != 0 else { return nil }
        var at = 8
        if flags & 0x1 != 0 { at += 8 }
        if flags & 0x2 != 0 { at += 4 }
        if flags & 0x8 != 0 { at += 4 }
        if flags & 0x10 != 0 { at += 4 }
        return header.integer(at: at)
    }
}

/// Consecutive boxes; a broken one ends the list.
struct Boxes {
    private let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func first(_ type: String) -> UnsafeRawBufferPointer? { all(type, limit: 1).first }

    /// Returns the bodies of the boxes of one type.
    func all(_ type: String, limit: Int = 64) -> [UnsafeRawBufferPointer] {
        var found: [UnsafeRawBufferPointer] = []
        var at = 0
        while let size = bytes.integer(at: at), at + 8 <= bytes.count, found.count < limit {
            var length = Int(size)
            var header = 8
            if size == 1 {
                guard let high = bytes.integer(at: at + 8), let low = bytes.integer(at: at + 12),
                    high < 1 << 16
                else { break }
                length = Int(high) << 32 | Int(low)
                header = 16
            } else if size == 0 {
                length = bytes.count - at
            }
            guard length >= header, length <= bytes.count - at else { break }
            if bytes[at + 4..<at + 8].elementsEqual(type.utf8) {
                found.append(UnsafeRawBufferPointer(rebasing: bytes[at + header..<at + length]))
            }
            at += length
        }
        return found
    }
}

extension UnsafeRawBufferPointer {
    /// Reads 32 bits in network order; nil beyond the end.
    fileprivate func integer(at offset: Int) -> UInt32? {
        guard offset >= 0, offset + 4 <= count else { return nil }
        return self[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
