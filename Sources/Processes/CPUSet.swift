/// The CPUs on which a process may run, 0 to 63.
public struct CPUSet: Hashable, Codable, Sendable, CustomStringConvertible {
    /// Bit i stands for CPU i.
    public var mask: UInt64

    public init(mask: UInt64) { self.mask = mask }

    /// Reads the kernel's list format, such as `0-1,3`; nil if the text is malformed or names a CPU
    /// beyond 63.
    public init?(list: String) {
        mask = 0
        for part in list.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard (1...2).contains(ends.count), let first = ends[0],
                let last = ends[ends.count - 1],
                0 <= first, first <= last, last < 64
            else { return nil }
            for cpu in first...last { mask |= 1 << UInt64(cpu) }
        }
    }

    public var description: String {
        (0..<64).filter { mask >> UInt64($0) & 1 == 1 }.map(String.init).joined(separator: ",")
    }
}
