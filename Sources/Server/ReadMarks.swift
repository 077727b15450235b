import NIOCore
import Sockets

/// A publisher's socket and the mark below which bytes wait in it (`ReadMark`).
final class MarkedReads {
    private var mark = ReadMark()
    private let outlet: Outlet
    /// Bytes that the socket must hold before the loop reads; 1 = any.
    private var inForce = 1
    private var isOver = false

    init(_ outlet: Outlet) { self.outlet = outlet }

    func count(_ unit: MediaUnit) {
        let now = unit.kind == .video ? Clock.monotonicNanoseconds() / 1000 : 0
        mark.count(unit, nowMicroseconds: now)
    }

    /// Notes that the loop has read. The mark holds between two messages only, because the end of a
    /// message must not wait.
    func noteRead(isBetweenMessages: Bool) {
        mark.noteRead()
        set(isBetweenMessages ? mark.bytes : 1)
    }

    /// Chooses the mark for the next second.
    func judge(at hub: StreamHub) {
        mark.judge(isLoaded: hub.isLoaded)
        if mark.bytes > 1 { hub.readMarks.add(self) }
    }

    /// Lifts the mark if nothing has been read since the last call. Returns whether it still holds.
    fileprivate func holds() -> Bool {
        guard !isOver else { return false }
        mark.loseIfSilent()
        guard mark.bytes == 1 else { return true }
        set(1)
        return false
    }

    /// Lifts the mark, because the publication is over.
    func end() {
        isOver = true
        set(1)
    }

    private func set(_ bytes: Int) {
        guard bytes != inForce else { return }
        inForce = bytes
        outlet.setReadMark(bytes)
    }
}

/// The publishers of a loop with a mark in force.
final class ReadMarks {
    private let eventLoop: any EventLoop
    private var publishers: [ObjectIdentifier: MarkedReads] = [:]
    private var isScheduled = false

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func add(_ publisher: MarkedReads) {
        publishers[ObjectIdentifier(publisher)] = publisher
        schedule()
    }

    private func schedule() {
        guard !isScheduled, !publishers.isEmpty else { return }
        isScheduled = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: .milliseconds(ReadMark.periodMilliseconds)) {
            let marks = bound.value
            marks.isScheduled = false
            marks.publishers = marks.publishers.filter { $0.value.holds() }
            marks.schedule()
        }
    }
}
