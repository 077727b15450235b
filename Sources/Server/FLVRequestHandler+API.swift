import NIOCore
import NIOHTTP1

/// Responses for the operator, and the writing of responses.
extension FLVRequestHandler {
    /// Answers below `/api/` and `/metrics`, for peers with access.
    func answerAPI(_ request: HTTPRequestHead, _ path: String, _ query: String) {
        // Pages of other sites may read streams, but not the API.
        isShared = false
        let allowed: [HTTPMethod]
        switch path {
        case "/api/v1/kick": allowed = [.POST]
        case "/api/v1/push": allowed = [.POST, .DELETE]
        case "/metrics", "/api/v1/status": allowed = [.GET, .HEAD]
        default:
            return respond(
                "404 Not Found",
                body:
                    "The API has /api/v1/status, /api/v1/kick and /api/v1/push; Prometheus reads /metrics.\n"
            )
        }
        let verdict = access.api.judge(
            request, address: context?.channel.remoteAddress?.ipAddress,
            changes: !allowed.contains(.GET))
        guard verdict == .accepted else {
            return refuse(verdict, headers: ["WWW-Authenticate: Bearer"])
        }
        guard allowed.contains(request.method) else {
            let names = allowed.map(\.rawValue).joined(separator: ", ")
            return respond("405 Method Not Allowed", headers: ["Allow: \(names)"])
        }
        switch path {
        case "/api/v1/kick": kickOthers(query)
        case "/api/v1/push": changePush(request.method, query)
        default: status(path == "/metrics" ? .metrics : .json, headOnly: request.method == .HEAD)
        }
    }

    private func changePush(_ method: HTTPMethod, _ query: String) {
        guard let context else { return }
        let change: PushChange
        do {
            change = try PushChange(method, query: query)
        } catch {
            return respond("400 Bad Request", body: "\(error)\n")
        }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        changePush(change).hop(to: context.eventLoop).whenComplete { result in
            let handler = bound.value
            switch result {
            case .success(.done(let targets)):
                handler.respond(
                    "200 OK", headers: ["Content-Type: application/json"],
                    bytes: ByteBuffer(string: "{\"targets\":\(targets)}\n"))
            case .success(.unknown):
                handler.respond("404 Not Found", body: "The stream has no such target.\n")
            case .success(.refused(let why)):
                handler.respond("409 Conflict", body: "\(why).\n")
            case .failure(let error):
                handler.respond("500 Internal Server Error", body: "\(error)\n")
            }
        }
    }

    private func kickOthers(_ query: String) {
        guard let context else { return }
        guard let target = KickTarget(query: query) else {
            return respond(
                "400 Bad Request",
                body:
                    "Say whom: POST /api/v1/kick?stream=<app>/<stream> or ?connection=<address>:<port>.\n"
            )
        }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        kickOthers(target).hop(to: context.eventLoop).whenComplete { result in
            switch result {
            case .success(let count):
                bound.value.respond(
                    count > 0 ? "200 OK" : "404 Not Found",
                    headers: ["Content-Type: application/json"],
                    bytes: ByteBuffer(string: "{\"kicked\":\(count)}\n"))
            case .failure(let error):
                bound.value.respond("500 Internal Server Error", body: "\(error)\n")
            }
        }
    }

    private func status(_ page: StatusPage, headOnly: Bool) {
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        readStatus(page).hop(to: context.eventLoop).whenComplete { result in
            let handler = bound.value
            switch result {
            case .success(let body):
                handler.respond(
                    "200 OK",
                    headers: ["Content-Type: \(page.contentType)", "Cache-Control: no-store"],
                    bytes: headOnly ? ByteBuffer() : body)
            case .failure(let error):
                handler.respond("500 Internal Server Error", body: "\(error)\n")
            }
        }
    }

    func respond(_ status: String, headers: [String] = [], body: String) {
        respond(
            status, headers: headers + ["Content-Type: text/plain; charset=utf-8"],
            bytes: ByteBuffer(string: body))
    }

    func respond(_ status: String, headers: [String] = [], bytes: ByteBuffer = ByteBuffer()) {
        write(head(status, headers + ["Content-Length: \(bytes.readableBytes)"]))
        write(bytes)
        finish()
    }

    func head(_ status: String, _ headers: [String]) -> ByteBuffer {
        let all =
            ["Server: millrace", "Connection: close"]
            + (isShared ? ["Access-Control-Allow-Origin: *"] : []) + headers
        return ByteBuffer(string: "HTTP/1.1 \(status)\r\n\(all.joined(separator: "\r\n"))\r\n\r\n")
    }
}
