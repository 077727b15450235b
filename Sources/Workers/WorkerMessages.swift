package import SimulationKernel

/// A message from the runner to a worker: one JSON object in a line, with one key.
package enum WorkerCommand<Config: Codable & Sendable>: Sendable {
    /// The first line: the configuration of the work.
    case config(Config)
    /// The shared start time, on the monotonic clock.
    case start(monotonicNanoseconds: Int64)
    /// The steady window, on the monotonic clock.
    case window(Window)
    /// A request to send the final report and to exit.
    case stop
}

/// A message from a worker to the runner: one JSON object in a line, with one key.
package enum WorkerReport<
    Ready: Codable & Sendable, Interval: Codable & Sendable, Final: Codable & Sendable
>: Sendable {
    /// The worker is configured and waits for the start time.
    case ready(Ready)
    /// An interval report: depending on the role, the totals until now or only the changes since
    /// the previous interval report.
    case interval(Interval)
    /// The last report.
    case final(Final)
    /// The worker cannot go on.
    case failed(message: String)
}

/// A message without content.
package struct Empty: Codable, Sendable, Hashable {
    package init() {}
}

private struct StartBody: Codable { var monotonicNanoseconds: Int64 }
private struct FailureBody: Codable { var message: String }

extension WorkerCommand: Codable {
    private enum Keys: String, CodingKey { case config, start, window, stop }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        switch container.allKeys.first {
        case .config?: self = .config(try container.decode(Config.self, forKey: .config))
        case .start?:
            let body = try container.decode(StartBody.self, forKey: .start)
            self = .start(monotonicNanoseconds: body.monotonicNanoseconds)
        case .window?: self = .window(try container.decode(Window.self, forKey: .window))
        case .stop?: self = .stop
        case nil:
            throw DecodingError.dataCorrupted(
                .init(codingPath: [], debugDescription: "no command of this version"))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        switch self {
        case .config(let config): try container.encode(config, forKey: .config)
        case .start(let time):
            try container.encode(StartBody(monotonicNanoseconds: time), forKey: .start)
        case .window(let window): try container.encode(window, forKey: .window)
        case .stop: try container.encode(Empty(), forKey: .stop)
        }
    }
}

extension WorkerReport: Codable {
    private enum Keys: String, CodingKey { case ready, interval, final, failed }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        switch container.allKeys.first {
        case .ready?: self = .ready(try container.decode(Ready.self, forKey: .ready))
        case .interval?: self = .interval(try container.decode(Interval.self, forKey: .interval))
        case .final?: self = .final(try container.decode(Final.self, forKey: .final))
        case .failed?:
            self = .failed(message: try container.decode(FailureBody.self, forKey: .failed).message)
        case nil:
            throw DecodingError.dataCorrupted(
                .init(codingPath: [], debugDescription: "no report of this version"))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        switch self {
        case .ready(let body): try container.encode(body, forKey: .ready)
        case .interval(let body): try container.encode(body, forKey: .interval)
        case .final(let body): try container.encode(body, forKey: .final)
        case .failed(let message):
            try container.encode(FailureBody(message: message), forKey: .failed)
        }
    }
}
