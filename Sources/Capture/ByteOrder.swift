extension Int {
    /// Adds a number that comes from a capture; a sum that is too large becomes the largest number.
    @inline(__always)
    mutating func add(clamping other: Int) {
        let (sum, overflow) = addingReportingOverflow(other)
        self = overflow ? (other < 0 ? .min : .max) : sum
    }
}

/// Reading of integers and slices at any offset of captured bytes.
extension UnsafeRawBufferPointer {
    @inline(__always)
    func integer<T: FixedWidthInteger>(_ type: T.Type, at offset: Int, bigEndian: Bool = true) -> T
    {
        precondition(offset >= 0 && offset + MemoryLayout<T>.size <= count, "checked by the caller")
        let value = loadUnaligned(fromByteOffset: offset, as: T.self)
        return bigEndian ? T(bigEndian: value) : T(littleEndian: value)
    }

    /// Returns the integer at `offset`; nil if the buffer ends before its last byte.
    @inline(__always)
    func read<T: FixedWidthInteger>(_ type: T.Type, at offset: Int, bigEndian: Bool = true) -> T? {
        guard offset >= 0, offset <= count - MemoryLayout<T>.size else { return nil }
        return integer(type, at: offset, bigEndian: bigEndian)
    }

    /// Returns the bytes from `offset` on; the result is empty if the buffer is shorter.
    @inline(__always)
    func from(_ offset: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[Swift.max(0, Swift.min(offset, count))...])
    }

    /// Returns at most the first `length` bytes.
    @inline(__always)
    func upTo(_ length: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[..<Swift.max(0, Swift.min(length, count))])
    }
}
