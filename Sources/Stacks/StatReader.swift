import HTTPFetch
import HTTPWire
import NIOPosix
import Scenario
import Sockets

/// CPU time and memory of a server by its own statistics.
package struct StatReading: Hashable, Sendable {
    /// CPU seconds since the server's start.
    package var cpuSeconds: Double
    /// Resident memory; nil if the page does not tell.
    package var rssBytes: Int?
    /// Time of the reading on the monotonic clock.
    package var atNanoseconds: Int64

    package init(cpuSeconds: Double, rssBytes: Int?, atNanoseconds: Int64) {
        self.cpuSeconds = cpuSeconds
        self.rssBytes = rssBytes
        self.atNanoseconds = atNanoseconds
    }
}

/// Reads the statistics of an external server, and counts the readings that failed.
actor StatReader {
    /// Largest page that is read.
    static let byteLimit = 4 << 20
    /// Longest time of a reading during a run, which delays the run's own samples.
    static let timeout = Duration.milliseconds(500)
    /// Memory beyond which a figure is taken for nonsense, in bytes.
    private static let mostBytes = 1e15
    /// CPU time beyond which a figure is taken for nonsense: 30 000 years of one core.
    private static let mostSeconds = 1e12

    private let settings: ServerStatistics
    private let url: HTTPURL
    private let getter: HTTPGetter
    private var readings = 0
    private var failures = 0
    private var lastFailure = ""

    /// - Throws: `FetchError` for a URL that cannot be read.
    init(_ settings: ServerStatistics) throws(FetchError) {
        self.settings = settings
        do {
            url = try HTTPURL(settings.url)
        } catch {
            throw FetchError("\(error)")
        }
        getter = try HTTPGetter(
            url, group: MultiThreadedEventLoopGroup.singleton, trust: TLSTrust(),
            bodyLimit: Self.byteLimit)
    }

    /// Reads the page for the first time.
    ///
    /// - Throws: `FetchError` that says what is wrong with the page.
    func begin() async throws(FetchError) { _ = try await fetch(within: .seconds(5)) }

    /// Reads the page; nil if that fails, which is counted.
    func read() async -> StatReading? {
        readings += 1
        do throws(FetchError) {
            return try await fetch(within: Self.timeout)
        } catch {
            failures += 1
            lastFailure = error.description
            return nil
        }
    }

    private func fetch(within time: Duration) async throws(FetchError) -> StatReading {
        let answer = try await getter.get(settings.url, timeout: time)
        let now = Clock.monotonicNanoseconds()
        guard answer.head.isSuccess else {
            throw FetchError("\(url) answers with status \(answer.head.status)")
        }
        let page = PrometheusPage(text: String(decoding: answer.body, as: UTF8.self))
        do throws(PrometheusPage.Fault) {
            let cpu = try page.sum(of: settings.cpuMetric)
            guard cpu <= Self.mostSeconds else {
                throw PrometheusPage.Fault(
                    description:
                        "\(settings.cpuMetric) is \(cpu), which is no CPU time in seconds; name a metric in seconds with stack.stat.cpu"
                )
            }
            let memory = try? page.sum(of: settings.memoryMetric)
            let bytes = memory.flatMap { $0 <= Self.mostBytes ? Int($0) : nil }
            return StatReading(cpuSeconds: cpu, rssBytes: bytes, atNanoseconds: now)
        } catch {
            throw FetchError("\(url): \(error)")
        }
    }

    var notes: [String] {
        guard failures > 0 else { return [] }
        return [
            "\(failures) of \(readings) readings of stack.stat failed, the last because \(lastFailure); the server's CPU there is the mean until the next reading"
        ]
    }
}
