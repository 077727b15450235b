import NIOCore
import NIOHTTP1

extension EdgeClient {
    /// Answers with the edge's statistics. They are for its operator only, so the response has no
    /// Access-Control-Allow-Origin, and pages of other sites cannot read it.
    ///
    /// - Parameter asMetrics: Whether Prometheus reads them.
    func answerStatus(
        _ head: HTTPRequestHead, _ context: ChannelHandlerContext, asMetrics: Bool
    ) {
        var status = HTTPResponseStatus.ok
        var headers = [
            "Content-Type: \(asMetrics ? MetricsText.contentType : "application/json")"
        ]
        var body = ""
        switch core.gate.judge(
            head, address: context.channel.remoteAddress?.ipAddress, changes: false)
        {
        case .accepted: body = asMetrics ? core.metrics : core.statusJSON
        case .refused(let why):
            (status, headers, body) = (.unauthorized, ["WWW-Authenticate: Bearer"], why + "\n")
        case .wait(let seconds):
            status = .tooManyRequests
            headers = ["Retry-After: \(seconds)"]
            body = "This address has sent too many wrong tokens; try again in \(seconds) s.\n"
        }
        write(
            status, headers: headers, body: body, isHead: head.method == .HEAD,
            keepsAlive: head.isKeepAlive, context: context)
    }

    /// Decides which bytes of the object are sent, and returns the text of the head.
    static func begin(
        _ response: inout Response, _ head: EdgeObject.Head, now: Int64
    ) -> String {
        let object = response.object
        var status = head.status
        var lines = head.lines
        response.end = object.length
        if let total = object.length, status == .ok {
            switch ByteRangeRequest(response.range, of: total) {
            case .whole: break
            case .part(let range):
                status = .partialContent
                (response.offset, response.end) = (range.lowerBound, range.upperBound)
                lines +=
                    "Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(total)\r\n"
            case .unsatisfiable:
                status = .rangeNotSatisfiable
                response.end = 0
                lines += "Content-Range: bytes */\(total)\r\n"
            }
        }
        var text = "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n" + lines
        text += "Age: \(object.age(at: now))\r\nX-Cache: \(response.disposition)\r\n"
        if let end = response.end {
            text += "Content-Length: \(end - response.offset)\r\n"
        } else if response.isHTTP11 {
            if !response.isHead { text += "Transfer-Encoding: chunked\r\n" }
        } else {
            response.keepsAlive = false
        }
        if !response.keepsAlive { text += "Connection: close\r\n" }
        if response.isHead { response.end = response.offset }
        return text + "\r\n"
    }
}
