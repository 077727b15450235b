/// Reads the part of a transport stream (ISO/IEC 13818-1) that shows how its segment begins.
enum TransportStreamInspector {
    static func inspect(_ bytes: UnsafeRawBufferPointer) -> SegmentInspection {
        var result = SegmentInspection(container: .transportStream)
        result.hasTables = false
        var programMap: Int?
        var video: (pid: Int, isHEVC: Bool)?
        var audio: Int?
        var hasMap = false
        var audioStart: Double?
        /// Bytes of the first video PES packet so far.
        var picture: [UInt8] = []
        var isInPicture = false
        var offset = 0
        while offset + 188 <= bytes.count, bytes[offset] == 0x47 {
            let packet = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + 188])
            offset += 188
            let pid = Int(packet[1] & 0x1F) << 8 | Int(packet[2])
            let begins = packet[1] & 0x40 != 0
            guard let payload = payload(packet) else { continue }
            if pid == 0, begins, programMap == nil {
                programMap = programMapPID(payload)
            } else if pid == programMap, begins, !hasMap {
                hasMap = true
                (video, audio) = streams(payload)
                result.hasTables = true
                result.hasVideo = video != nil
            } else if pid == video?.pid {
                if begins {
                    if isInPicture { break }
                    isInPicture = true
                    result.startSeconds = presentationSeconds(payload)
                }
                // A slice header may come after long SEI messages, but not after a megabyte.
                if isInPicture, picture.count < 1 << 20 { picture += payload }
            } else if pid == audio, begins, audioStart == nil {
                audioStart = presentationSeconds(payload)
                if video == nil { break }
            }
        }
        if let video, isInPicture {
            result.beginsWithKeyFrame = isKeyPicture(picture, isHEVC: video.isHEVC)
        }
        result.startSeconds = result.startSeconds ?? audioStart
        return result
    }

    /// Returns the bytes after a packet's header and adaptation field.
    private static func payload(_ packet: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let control = packet[3] >> 4 & 3
        guard control & 1 != 0 else { return nil }
        let start = control & 2 != 0 ? 5 + Int(packet[4]) : 4
        guard start < packet.count else { return nil }
        return UnsafeRawBufferPointer(rebasing: packet[start...])
    }

    /// Returns the section behind a pointer field.
    private static func section(_ payload: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let start = 1 + Int(payload[0])
        guard payload.count >= start + 3 else { return nil }
        let length = Int(payload[start + 1] & 0x0F) << 8 | Int(payload[start + 2])
        let end = min(payload.count, start + 3 + length)
        return UnsafeRawBufferPointer(rebasing: payload[start..<end])
    }

    private static func programMapPID(_ payload: UnsafeRawBufferPointer) -> Int? {
        guard let section = section(payload), section[0] == 0 else { return nil }
        var at = 8
        while at + 4 <= section.count - 4 {
            let program = Int(section[at]) << 8 | Int(section[at + 1])
            if program != 0 { return Int(section[at + 2] & 0x1F) << 8 | Int(section[at + 3]) }
            at += 4
        }
        return nil
    }

    private static func streams(
        _ payload: UnsafeRawBufferPointer
    ) -> (video: (pid: Int, isHEVC: Bool)?, audio: Int?) {
        guard let section = section(payload), section[0] == 2, section.count > 12 else {
            return (nil, nil)
        }
        var video: (pid: Int, isHEVC: Bool)?
        var audio: Int?
        var at = 12 + (Int(section[10] & 0x0F) << 8 | Int(section[11]))
        while at + 5 <= section.count - 4 {
            let pid = Int(section[at + 1] & 0x1F) << 8 | Int(section[at + 2])
            switch section[at] {
            case 0x1B where video == nil: video = (pid, false)
            case 0x24 where video == nil: video = (pid, true)
            case 0x03, 0x04, 0x0F, 0x11, 0x81: audio = audio ?? pid
            default: break
            }
            at += 5 + (Int(section[at + 3] & 0x0F) << 8 | Int(section[at + 4]))
        }
        return (video, audio)
    }

    /// Reads the PTS of a PES packet's header; its 33 bits wrap after 26.5 hours.
    private static func presentationSeconds(_ pes: UnsafeRawBufferPointer) -> Double? {
        guard pes.count >= 14, pes[0] == 0, pes[1] == 0, pes[2] == 1, pes[7] & 0x80 != 0 else {
            return nil
        }
        let high = UInt64(pes[9] >> 1 & 7) << 30
        let middle = UInt64(pes[10]) << 22 | UInt64(pes[11] >> 1) << 15
        let low = UInt64(pes[12]) << 7 | UInt64(pes[13] >> 1)
        return Double(high | middle | low) / 90_000
    }

    /// Determines from the first slice's NAL unit type whether the picture is a key picture; nil if
    /// there is no slice.
    private static func isKeyPicture(_ bytes: [UInt8], isHEVC: Bool) -> Bool? {
        var at = 0
        while at + 3 < bytes.count {
            guard bytes[at] == 0, bytes[at + 1] == 0, bytes[at + 2] == 1 else {
                at += 1
                continue
            }
            let header = bytes[at + 3]
            if isHEVC {
                let type = header >> 1 & 0x3F
                if type < 32 { return (16...23).contains(type) }
            } else {
                let type = header & 0x1F
                if (1...5).contains(type) { return type == 5 }
            }
            at += 4
        }
        return nil
    }
}
