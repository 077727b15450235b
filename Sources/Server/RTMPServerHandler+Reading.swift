import NIOCore

/// The mark below which a publisher's bytes wait in its socket (`ReadMark`).
extension RTMPServerHandler {
    /// Puts the mark into force between two messages, and lifts it inside of one, whose end must
    /// not wait.
    func markReads() {
        guard case .publishing(let ingest, _) = role else { return setReadMark(1) }
        ingest.reading.noteRead()
        setReadMark(input.isBetweenMessages ? ingest.reading.bytes : 1)
    }

    /// Chooses the mark for the next second.
    func judgeReads() {
        guard case .publishing(let ingest, _) = role else { return }
        ingest.reading.judge(isLoaded: hub.isLoaded)
        if ingest.reading.bytes > 1 { hub.readMarks.add(self) }
    }

    /// Lifts the mark if nothing has been read since the last call. Returns whether it still holds.
    func keepsReadMark() -> Bool {
        guard case .publishing(let ingest, _) = role, context != nil else {
            setReadMark(1)
            return false
        }
        ingest.reading.loseIfSilent()
        guard ingest.reading.bytes == 1 else { return true }
        setReadMark(1)
        return false
    }

    private func setReadMark(_ bytes: Int) {
        guard bytes != readMark else { return }
        readMark = bytes
        outlet?.setReadMark(bytes)
    }
}

/// The publishers of a loop with a mark in force.
final class ReadMarks {
    private let eventLoop: any EventLoop
    private var handlers: [ObjectIdentifier: RTMPServerHandler] = [:]
    private var isScheduled = false

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func add(_ handler: RTMPServerHandler) {
        handlers[ObjectIdentifier(handler)] = handler
        schedule()
    }

    private func schedule() {
        guard !isScheduled, !handlers.isEmpty else { return }
        isScheduled = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: .milliseconds(ReadMark.patienceMilliseconds)) {
            let marks = bound.value
            marks.isScheduled = false
            marks.handlers = marks.handlers.filter { $0.value.keepsReadMark() }
            marks.schedule()
        }
    }
}
