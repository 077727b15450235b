public import NIOCore

extension FrameStamp {
    /// Position of an access unit's stamp, or the position at which a stamp would be inserted.
    enum Place: Equatable {
        /// The access unit has a stamp; `fieldsOffset` is the offset of its fields.
        case existing(fieldsOffset: Int)
        /// The access unit has no stamp; `offset` is that of the first slice's NAL unit length.
        case beforeSlice(offset: Int)
        /// No slice was found, or the NAL unit lengths before it are broken.
        case none
    }

    /// Returns `payload` with this stamp before its first slice, or instead of the stamp that it
    /// has.
    ///
    /// Other SEI messages stay unchanged. A payload that is not a coded AVC frame, or that has
    /// broken NAL units, is returned unchanged.
    /// - Parameters:
    ///   - payload: A whole FLV video tag body, legacy AVC or enhanced `avc1`.
    ///   - nalUnitLengthSize: Bytes of each NAL unit length, 1…4.
    public func inserted(into payload: ByteBuffer, nalUnitLengthSize: Int) -> ByteBuffer {
        let place = payload.withUnsafeReadableBytes {
            Self.place(inVideoPayload: $0, nalUnitLengthSize: nalUnitLengthSize)
        }
        switch place {
        case .none:
            return payload
        case .existing(let offset):
            var patched = payload
            patch(&patched, at: offset)
            return patched
        case .beforeSlice(let offset):
            var stamped = ByteBuffer()
            stamped.reserveCapacity(
                payload.readableBytes + nalUnitLengthSize + Self.nalUnitLength)
            payload.withUnsafeReadableBytes { bytes in
                stamped.writeBytes(bytes[..<offset])
                for shift in (0..<nalUnitLengthSize).reversed() {
                    stamped.writeInteger(
                        UInt8(truncatingIfNeeded: Self.nalUnitLength >> (8 * shift)))
                }
                stamped.writeImmutableBuffer(nalUnit)
                stamped.writeBytes(bytes[offset...])
            }
            return stamped
        }
    }

    /// Finds the stamp of a whole FLV video tag body; `nil` if it has none.
    /// - Parameter nalUnitLengthSize: Bytes of each NAL unit length, 1…4.
    public static func find(
        inVideoPayload payload: ByteBuffer, nalUnitLengthSize: Int
    ) -> FrameStamp? {
        payload.withUnsafeReadableBytes {
            find(inVideoPayload: $0, nalUnitLengthSize: nalUnitLengthSize)
        }
    }

    /// Does the same on raw bytes; it reads only the NAL units before the first slice.
    public static func find(
        inVideoPayload bytes: UnsafeRawBufferPointer, nalUnitLengthSize: Int
    ) -> FrameStamp? {
        guard
            case .existing(let offset) = place(
                inVideoPayload: bytes, nalUnitLengthSize: nalUnitLengthSize)
        else { return nil }
        return fields(bytes, at: offset)
    }

    /// Finds the first stamp of a byte stream (H.264 annex B); the search stops at the first slice
    /// and returns `nil` if there is no stamp.
    public static func find(inAnnexB stream: ByteBuffer) -> FrameStamp? {
        stream.withUnsafeReadableBytes { find(inAnnexB: $0) }
    }

    /// Does the same on raw bytes.
    public static func find(inAnnexB bytes: UnsafeRawBufferPointer) -> FrameStamp? {
        var start = AnnexB.firstStartCode(bytes, from: 0)
        while let code = start, code + 3 < bytes.count {
            let type = NALUnitType(header: bytes[code + 3])
            if type.isVCL { return nil }
            let next = AnnexB.firstStartCode(bytes, from: code + 3)
            if type == .sei,
                let offset = fieldsOffset(bytes, inUnit: code + 3..<(next ?? bytes.count))
            {
                return fields(bytes, at: offset)
            }
            start = next
        }
        return nil
    }

    static func place(
        inVideoPayload bytes: UnsafeRawBufferPointer, nalUnitLengthSize: Int
    ) -> Place {
        guard (1...4).contains(nalUnitLengthSize), let header = VideoTagHeader.parse(bytes),
            header.codec.isAVC, header.hasCodedFrames, header.packetType != .multitrack
        else { return .none }
        return place(
            inAccessUnit: bytes, from: header.headerLength, nalUnitLengthSize: nalUnitLengthSize)
    }

    /// Finds the stamp of a length-prefixed access unit, such as an fMP4 sample; `nil` if it has
    /// none.
    /// - Parameter nalUnitLengthSize: Bytes of each NAL unit length, 1…4.
    public static func find(
        inAccessUnit unit: ByteBuffer, nalUnitLengthSize: Int
    ) -> FrameStamp? {
        guard (1...4).contains(nalUnitLengthSize) else { return nil }
        return unit.withUnsafeReadableBytes { bytes in
            guard
                case .existing(let offset) = place(
                    inAccessUnit: bytes, from: 0, nalUnitLengthSize: nalUnitLengthSize)
            else { return nil }
            return fields(bytes, at: offset)
        }
    }

    private static func place(
        inAccessUnit bytes: UnsafeRawBufferPointer, from start: Int, nalUnitLengthSize: Int
    ) -> Place {
        var offset = start
        while bytes.count - offset > nalUnitLengthSize {
            var length = 0
            for i in 0..<nalUnitLengthSize { length = length << 8 | Int(bytes[offset + i]) }
            let unit = offset + nalUnitLengthSize
            guard length <= bytes.count - unit else { return .none }
            if length > 0 {
                let type = NALUnitType(header: bytes[unit])
                if type.isVCL { return .beforeSlice(offset: offset) }
                if type == .sei,
                    let fields = fieldsOffset(bytes, inUnit: unit..<unit + length)
                {
                    return .existing(fieldsOffset: fields)
                }
            }
            offset = unit + length
        }
        return .none
    }

    /// Returns the offset of a stamp's fields in one SEI NAL unit, which may hold other messages
    /// too.
    ///
    /// The signature and the fields have no zero byte, so emulation prevention may shift them but
    /// never alters them, and a plain search finds them.
    private static func fieldsOffset(
        _ bytes: UnsafeRawBufferPointer, inUnit unit: Range<Int>
    ) -> Int? {
        let length = signature.count
        var start = unit.lowerBound + 1
        let last = unit.upperBound - length - fieldsLength
        return signature.withUnsafeBufferPointer { signature in
            while start <= last {
                var matched = 0
                while matched < length, bytes[start + matched] == signature[matched] {
                    matched += 1
                }
                if matched == length { return start + length }
                start += 1
            }
            return nil
        }
    }
}
