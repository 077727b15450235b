import ArgumentParser

struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure Millrace's own parts beside their peers, in the same run.",
        subcommands: [
            BenchFanout.self, BenchRelay.self, BenchSimulate.self, BenchLadder.self,
            BenchNetem.self, BenchSocket.self, BenchLink.self, BenchHLS.self, BenchCapture.self,
        ])
}
