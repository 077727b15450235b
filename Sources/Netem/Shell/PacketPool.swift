import Glibc

/// Memory for the packets inside the links, in slots of one size. Its pages are touched only as far
/// as packets really wait.
struct PacketPool: ~Copyable {
    static let slotBytes = 2048

    private let base: UnsafeMutableRawPointer
    private let capacity: Int
    private var free: [UInt32]

    /// - Parameter capacity: Number of packets, 1 to 2^22.
    init(capacity: Int) throws(ShellError) {
        precondition((1...1 << 22).contains(capacity), "a pool holds 1 to 2^22 packets")
        let memory = mmap(
            nil, capacity * Self.slotBytes, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let memory, memory != MAP_FAILED else {
            throw .system("no memory for \(capacity) packets", -errno)
        }
        base = memory
        self.capacity = capacity
        free = (0..<UInt32(capacity)).reversed()
    }

    deinit { munmap(base, capacity * Self.slotBytes) }

    var used: Int { capacity - free.count }

    /// Takes a free slot; nil if every slot is taken.
    mutating func take() -> UInt32? { free.popLast() }

    mutating func giveBack(_ slot: UInt32) { free.append(slot) }

    func bytes(_ slot: UInt32) -> UnsafeMutableRawPointer {
        base + Int(slot) * Self.slotBytes
    }
}
