import HTTPWire

/// Whose connections are to end.
enum KickTarget: Sendable, Equatable {
    /// Publisher and players of `<app>/<stream>`.
    case stream(String)
    /// `address:port` of a peer, as log, status and call-backs have it.
    case connection(String)

    /// The target that a query names; nil where it names none, or two.
    init?(query: String) {
        var targets: [KickTarget] = []
        for field in query.split(separator: "&") {
            let pair = field.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { continue }
            let value = URIReference.percentDecoded(pair[1])
            switch pair[0] {
            case "stream": targets.append(.stream(value))
            case "connection": targets.append(.connection(value))
            default: break
            }
        }
        guard targets.count == 1 else { return nil }
        self = targets[0]
    }

    var text: String {
        switch self {
        case .stream(let name): "stream \(name)"
        case .connection(let address): "connection \(address)"
        }
    }

    func matches(stream: String?, connection: String) -> Bool {
        switch self {
        case .stream(let name): name == stream
        case .connection(let address): address == connection
        }
    }
}
