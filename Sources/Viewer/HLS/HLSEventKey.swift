/// The socket that an epoll event of an HLS loop belongs to, packed into the event's 64 bits.
struct HLSEventKey: Hashable {
    /// Index of the viewer in its loop, less than 2^47.
    var viewer: Int
    /// Index of the connection, 0 or 1.
    var slot: Int
    /// Serial number of the socket among those that the connection has had. An event that was
    /// fetched before its socket was closed must not be taken for one of the next socket.
    var serial: UInt16

    init(viewer: Int, slot: Int, serial: UInt16) {
        (self.viewer, self.slot, self.serial) = (viewer, slot, serial)
    }

    init(bits: UInt64) {
        viewer = Int((bits << 16) >> 17)
        slot = Int(bits & 1)
        serial = UInt16(bits >> 48)
    }

    var bits: UInt64 { UInt64(serial) << 48 | UInt64(viewer) << 1 | UInt64(slot) }
}
