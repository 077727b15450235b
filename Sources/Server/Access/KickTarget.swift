import HTTPWire

/// Connections that are to be ended.
enum KickTarget: Sendable, Equatable {
    /// The publisher and the players of `<app>/<stream>`.
    case stream(String)
    /// The peer at `address:port`, as log, status and call-backs name it.
    case connection(String)

    /// Reads the target that a query names; nil if it names none, or two.
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
