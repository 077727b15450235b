import HLS
import NIOCore
import NIOHTTP1

/// The HLS requests of one HTTP connection, one after the other, bound to its event loop.
///
/// A response's body is the shared buffer itself, and the next request is read only when the
/// response before it has been sent, so a slow reader holds one segment. A connection is cut when
/// its socket has taken nothing for `stalledSubscriberMilliseconds`, or less than `leastRate` for
/// longer than that.
final class HLSConnection {
    private let origin: HLSOrigin
    private let outlet: Outlet
    private let access: AccessPolicy
    /// The client's `address:port`, and its address alone.
    private let peer: String
    private let address: String?
    private let close: () -> Void
    private var queue: [HTTPRequestHead] = []
    private var isBusy = false
    private var isClosed = false
    private var waiting: (stream: PackagedStream, id: UInt64, timer: Scheduled<Void>)?
    /// Number of the current wait, so that a waker that comes after its time-out does not wake the
    /// next wait.
    private var ticket: UInt64 = 0
    private var idleSince = NIODeadline.now()
    /// Number of bytes that waited at the last change, and the time of that change.
    private var progress: (queued: Int, since: NIODeadline)?
    /// Length of the response that is being sent, and the time when it began.
    private var sending: (bytes: Int, since: NIODeadline)?

    /// Least rate in bytes per second: a segment that has left the playlist stays in memory for a
    /// slower reader.
    static let leastRate = 8192.0

    /// Largest number of requests that a client may send ahead.
    static let pipelineLimit = 64

    /// - Parameter close: Function that closes the connection at once.
    init(
        origin: HLSOrigin, outlet: Outlet, access: AccessPolicy, peer: String, address: String?,
        close: @escaping () -> Void
    ) {
        self.access = access
        self.peer = peer
        self.address = address
        self.origin = origin
        self.outlet = outlet
        self.close = close
    }

    /// Whether no request is being answered and none waits.
    var isIdle: Bool { !isBusy && queue.isEmpty }

    func receive(_ head: HTTPRequestHead) {
        guard !isClosed else { return }
        guard queue.count < Self.pipelineLimit else { return stop() }
        queue.append(head)
        next()
    }

    private func next() {
        guard !isBusy, !isClosed, !queue.isEmpty else { return }
        let head = queue.removeFirst()
        isBusy = true
        do {
            ask(try HLSRequest(head))
        } catch {
            let response: HLSResponse
            switch error {
            case .badRequest(let why): response = HLSOrigin.badRequest(why)
            case .notFound:
                response = HLSResponse(
                    status: .notFound, headers: ["Content-Type: text/plain; charset=utf-8"],
                    body: ByteBuffer(
                        string: "Playlists are at /hls/<app>/<stream>/index.m3u8 and "
                            + "/hls/<app>/<channel>/master.m3u8.\n"))
            }
            send(response, isHead: head.method == .HEAD, keepsAlive: head.isKeepAlive, of: nil)
        }
    }

    /// Judges by address and key. The call-back is asked about playlists alone, because the names
    /// of segments are known only from them.
    private func ask(_ request: HLSRequest) {
        let (application, stream) = StreamName.split(request.name)
        let verdict = access.judge(
            .play, stream, of: application, query: request.query, address: address)
        guard verdict == .accepted else { return refuse(request, verdict) }
        // Any parameter may matter to the call-back: another viewer of the same address has another
        // token.
        let asked = request.query.split(separator: "&").filter { !$0.hasPrefix("_HLS_") }
            .joined(separator: "&")
        let call = CallBack(
            event: .play, protocol: "hls", application: application, stream: stream,
            query: request.query, connection: peer)
        guard request.isPlaylist,
            let answer = access.callBacks?.askOnce(
                "\(address ?? "?") \(asked) \(request.name)", call)
        else { return serve(request, deadline: nil) }
        let bound = NIOLoopBound(self, eventLoop: outlet.eventLoop)
        answer.hop(to: outlet.eventLoop).whenComplete { result in
            if case .success(nil) = result {
                bound.value.serve(request, deadline: nil)
            } else {
                bound.value.refuse(request, .refused("this server does not accept it"))
            }
        }
    }

    private func refuse(_ request: HLSRequest, _ verdict: AccessPolicy.Verdict) {
        var response = HLSResponse(
            status: .forbidden,
            headers: ["Content-Type: text/plain; charset=utf-8", "Cache-Control: no-store"],
            body: ByteBuffer())
        switch verdict {
        case .accepted: break
        case .refused(let why): response.body = ByteBuffer(string: why + "\n")
        case .wait(let seconds):
            response.status = .tooManyRequests
            response.headers.append("Retry-After: \(seconds)")
            response.body = ByteBuffer(
                string: "This address has sent too many wrong keys; try again in \(seconds) s.\n")
        }
        send(response, isHead: request.isHead, keepsAlive: request.keepsAlive, of: nil)
    }

    /// Adds the key of the request to a playlist's URIs, because players request the URIs as they
    /// are written.
    private func carryingKey(_ response: HLSResponse, _ request: HLSRequest) -> HLSResponse {
        guard request.isPlaylist, response.status == .ok,
            !access.playKeys.isOpen || access.callBacks != nil,
            let key = StreamKeys.keys(in: request.query).first
        else { return response }
        var response = response
        response.body = PlaylistKeys.adding("key=\(key)", to: response.body)
        return response
    }

    /// - Parameter deadline: Deadline of a request that has waited already.
    private func serve(_ request: HLSRequest, deadline: NIODeadline?) {
        guard !isClosed else { return }
        switch origin.answer(request) {
        case .respond(let response):
            send(
                carryingKey(response, request), isHead: request.isHead,
                keepsAlive: request.keepsAlive,
                of: origin.stream(request.name))
        case .wait(let stream, let condition, let seconds, let late):
            let deadline = deadline ?? .now() + .nanoseconds(Int64(seconds * 1e9))
            guard deadline > .now() else {
                return send(
                    late, isHead: request.isHead, keepsAlive: request.keepsAlive, of: stream)
            }
            let bound = NIOLoopBound(self, eventLoop: outlet.eventLoop)
            ticket += 1
            let own = ticket
            let waiter = PackagedStream.Waiter(
                condition: condition, eventLoop: outlet.eventLoop
            ) {
                let connection = bound.value
                guard connection.ticket == own, let (_, _, timer) = connection.waiting else {
                    return
                }
                timer.cancel()
                connection.waiting = nil
                connection.serve(request, deadline: deadline)
            }
            guard let id = stream.wait(waiter) else {
                // The segment or part has come in the meantime. Another thread may change that
                // again, so the request is served on the next turn.
                outlet.eventLoop.execute { bound.value.serve(request, deadline: deadline) }
                return
            }
            let timer = outlet.eventLoop.scheduleTask(deadline: deadline) {
                let connection = bound.value
                connection.stopWaiting()
                connection.send(
                    late, isHead: request.isHead, keepsAlive: request.keepsAlive, of: stream)
            }
            waiting = (stream, id, timer)
        }
    }

    private func stopWaiting() {
        guard let (stream, id, timer) = waiting else { return }
        waiting = nil
        timer.cancel()
        stream.cancel(id)
    }

    private func send(
        _ response: HLSResponse, isHead: Bool, keepsAlive: Bool, of stream: PackagedStream?
    ) {
        guard !isClosed else { return }
        let status = response.status
        var head = "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\nServer: millrace\r\n"
        head += "Access-Control-Allow-Origin: *\r\n"
        head += "Access-Control-Expose-Headers: Content-Length, Content-Range\r\n"
        if !keepsAlive { head += "Connection: close\r\n" }
        for header in response.headers { head += header + "\r\n" }
        head += "Content-Length: \(response.body.readableBytes)\r\n\r\n"
        let body = isHead ? ByteBuffer() : response.body
        stream?.countRequest(bytes: body.readableBytes)
        sending = (body.readableBytes, .now())
        let bound = NIOLoopBound(self, eventLoop: outlet.eventLoop)
        outlet.writeResponse(ByteBuffer(string: head), body).whenComplete { result in
            let connection = bound.value
            connection.isBusy = false
            connection.progress = nil
            connection.sending = nil
            connection.idleSince = .now()
            if keepsAlive, case .success = result {
                connection.next()
            } else {
                connection.stop()
            }
        }
    }

    private func stop() {
        guard !isClosed else { return }
        end()
        close()
    }

    /// Ends the work on the connection, which is gone.
    func end() {
        isClosed = true
        queue.removeAll()
        stopWaiting()
    }

    func sweep(now: NIODeadline, stalledMilliseconds: Int) {
        func elapsed(_ since: NIODeadline) -> Double { Double((now - since).nanoseconds) / 1e9 }
        guard isBusy else {
            if elapsed(idleSince) > origin.configuration.keepAliveSeconds { stop() }
            return
        }
        guard waiting == nil else { return }
        let queued = outlet.queuedBytes
        if let (bytes, since) = sending, queued > 0,
            elapsed(since) > Double(stalledMilliseconds) / 1000
                + Double(max(0, bytes - queued)) / Self.leastRate
        {
            return stop()
        }
        if let progress, progress.queued == queued {
            if elapsed(progress.since) * 1000 > Double(stalledMilliseconds) { stop() }
        } else {
            progress = (queued, now)
        }
    }
}
