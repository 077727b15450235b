import Glibc
import Processes
import SimulationKernel
import Statistics
import Testing

@testable import Workers

/// What runner and workers say to one another.
@Suite(.timeLimit(.minutes(1))) struct WorkerProtocolTests {
    struct Config: Codable, Sendable { var name: String }
    typealias Python = Worker<Config, Empty, DelayHistogram, Config>

    static let python = """
        import sys, json
        for line in sys.stdin:
            message = json.loads(line)
            if "config" in message:
                config = message["config"]
                print(json.dumps({"ready": {}}), flush=True)
            elif "start" in message:
                assert message["start"]["monotonicNanoseconds"] == 5
                print("not a report", flush=True)
                h = {"values": [1000000, 3], "negative": 1, "max": 1000000, "sum": 3e6}
                print(json.dumps({"interval": h}), flush=True)
            elif "window" in message:
                print(json.dumps({"failed": {"message": "odd"}}), flush=True)
            elif "stop" in message:
                print(json.dumps({"final": config}), flush=True)
                sys.exit(3)
        """

    @Test func workerProtocol() async throws {
        let worker = try Python(
            name: "python", .init(path: "/usr/bin/python3", arguments: ["-c", Self.python]),
            config: Config(name: "a"))
        var seen: [String] = []
        for await event in worker.events() {
            switch event {
            case .report(.ready):
                seen.append("ready")
                try worker.send(.start(monotonicNanoseconds: 5))
            case .garbled(let text): seen.append(text)
            case .partial: seen.append("part")
            case .report(.interval(let histogram)):
                seen.append("interval \(histogram.count) \(histogram.negativeCount)")
                try worker.send(.window(Window(startNanoseconds: 0, endNanoseconds: 1)))
            case .report(.failed(let message)):
                seen.append(message)
                try worker.send(.stop)
            case .report(.final(let config)): seen.append("final \(config.name)")
            case .ended(let status): seen.append("\(status)")
            }
        }
        #expect(
            seen == [
                "ready", "not a report", "interval 3 1", "odd", "final a", "exited with status 3",
            ])
    }

    /// Messages of any length pass the pipe in both directions.
    @Test func longMessages() async throws {
        let name = String(repeating: "x", count: 20 << 20)
        let script = """
            import sys
            lines = []
            for line in sys.stdin:
                lines.append(line)
                if line[0] == "=": break
            sys.stdout.write("".join(lines))
            """
        let worker = try Worker<Config, Config, Empty, Config>(
            name: "python",
            .init(
                path: "/usr/bin/python3",
                arguments: ["-c", script]),
            config: Config(name: name))
        var parts = 0
        var said: [String] = []
        for await event in worker.events() {
            switch event {
            case .partial: parts += 1
            // The echo of a command is no report.
            case .garbled(let text): said.append(text)
            case .ended(let status): said.append("\(status)")
            case .report: Issue.record("a report")
            }
        }
        #expect(parts == 20)
        #expect(said.first?.hasPrefix(#"{"config":{"name":"xxx"#) == true)
        #expect(said.last == "exited with status 0")
    }

    @Test func messagesRoundTripAsOneKeyObjects() throws {
        typealias Command = WorkerCommand<Config>
        let line = try WorkerLine.encode(Command.stop, name: "t")
        #expect(String(decoding: line, as: UTF8.self) == "{\"stop\":{}}\n")
        let start: Command? = WorkerLine.decode(
            Array(#"{"start":{"monotonicNanoseconds":12}}"#.utf8))
        guard case .start(12)? = start else { Issue.record("not a start"); return }
        let unknown: Command? = WorkerLine.decode(Array(#"{"dance":{}}"#.utf8))
        #expect(unknown == nil)
    }

    @Test func channelEndsWithItsInput() async throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let text = #"{"config":{"name":"b"}}"# + "\n"
        _ = text.withCString { write(ends[1], $0, strlen($0)) }
        close(ends[1])
        let channel = WorkerChannel<Config, Empty, Empty, Empty>(input: ends[0], output: 1)
        var names: [String] = []
        for await case .config(let config) in channel.commands() { names.append(config.name) }
        close(ends[0])
        #expect(names == ["b"])
    }
}
