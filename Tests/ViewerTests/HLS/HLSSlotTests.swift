import HTTPWire
import Testing

@testable import Viewer

@Suite struct HLSSlotTests {
    private let request: HLSPlayerRequest
    private let segment: HLSPlayerRequest

    init() throws {
        let url = try HTTPURL("http://a/b.m3u8")
        request = HLSPlayerRequest(purpose: .playlist(rendition: 0, isBlocking: false), url: url)
        segment = HLSPlayerRequest(purpose: .segment, url: url)
    }

    @Test func aRequestIsUnderWayUntilItIsOver() {
        var slot = HLSSlot()
        #expect(slot.isIdle && slot.nextTime == .infinity && slot.finish() == nil)
        slot.send(request, at: 5, isRetry: false)
        #expect(!slot.isIdle && slot.inFlight == request && slot.sentAt == 5)
        let over = slot.finish()
        #expect(over?.request == request && over?.sentAt == 5)
        #expect(slot.isIdle && slot.inFlight == nil && slot.sentAt == nil)
    }

    /// hls.js' limits for a playlist: 10 s to the first byte, 20 s to the last.
    @Test func deadlines() {
        var slot = HLSSlot()
        slot.send(request, at: 1000, isRetry: false)
        #expect(slot.deadline == 11_000)
        slot.receiveFirstByte()
        #expect(slot.deadline == 21_000)
        slot.clear()
        #expect(slot.deadline == .infinity)
        slot.receiveFirstByte()
        #expect(slot.isIdle)
        slot.send(segment, at: 0, isRetry: false)
        slot.receiveFirstByte()
        #expect(slot.nextTime == 120_000)
    }

    @Test func aRequestWaitsForItsTime() {
        var slot = HLSSlot()
        slot.wait(request, until: 7)
        #expect(!slot.isIdle && slot.waiting == request && slot.inFlight == nil)
        #expect(slot.nextTime == 7 && slot.deadline == .infinity)
        #expect(slot.takeDue(at: 6) == nil)
        #expect(slot.takeDue(at: 7) == request)
        #expect(slot.isIdle && slot.takeDue(at: 8) == nil)
    }

    @Test func failuresCountUntilAnotherRequestOrServer() {
        var slot = HLSSlot()
        slot.send(request, at: 0, isRetry: false)
        slot.countFailure()
        slot.clear()
        slot.send(request, at: 1, isRetry: true)
        slot.countFailure()
        #expect(slot.failures == 2)
        slot.move(isFailover: true)
        #expect(slot.failures == 0 && slot.failoversWithoutResponse == 1)
        slot.countFailure()
        slot.move(isFailover: false)
        #expect(slot.failures == 0 && slot.failoversWithoutResponse == 1)
        slot.answered()
        #expect(slot.failoversWithoutResponse == 0)
        slot.countFailure()
        slot.clear()
        slot.send(request, at: 2, isRetry: false)
        #expect(slot.failures == 0)
    }

    @Test func slotsAreApart() {
        var slots = HLSSlots()
        slots[.media].wait(segment, until: 9)
        slots[.playlist].wait(request, until: 4)
        #expect(slots.nextTime == 4)
        slots[.playlist].clear()
        #expect(slots.nextTime == 9 && slots[.playlist].isIdle && !slots[.media].isIdle)
    }
}

@Suite struct HLSEdgesTests {
    @Test func urlsGoToThePresentEdge() throws {
        var edges = HLSEdges([
            try HTTPURL("http://a/live/x.m3u8"), try HTTPURL("http://b:81/live/x.m3u8"),
        ])
        let segment = try HTTPURL("http://a/live/1.ts?k=1")
        let elsewhere = try HTTPURL("http://c/live/1.ts")
        #expect(edges.atPresentEdge(segment) == segment)
        #expect(edges.isAtPresentEdge(segment) && edges.isAtAnEdge(segment))
        edges.moveOn()
        #expect(edges.atPresentEdge(segment).description == "http://b:81/live/1.ts?k=1")
        #expect(!edges.isAtPresentEdge(segment))
        // A redirect has led to another server; the viewer stays there.
        #expect(edges.atPresentEdge(elsewhere) == elsewhere && !edges.isAtAnEdge(elsewhere))
        edges.moveOn()
        #expect(edges.isAtPresentEdge(segment))
    }
}
