import FoundationEssentials
import NIOCore

/// The forms in which the API gives the status.
enum StatusPage: Sendable {
    case json, metrics

    var contentType: String {
        switch self {
        case .json: "application/json"
        case .metrics: MetricsText.contentType
        }
    }

    func bytes(_ status: ServerStatus) -> ByteBuffer {
        switch self {
        case .json:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            return (try? encoder.encode(status)).map { ByteBuffer(bytes: $0) } ?? ByteBuffer()
        case .metrics:
            return ByteBuffer(string: ServerMetrics.text(status))
        }
    }
}
