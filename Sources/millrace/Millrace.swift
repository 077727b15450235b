import ArgumentParser

@main
struct Millrace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract: "Load-tests live-streaming stacks and simulates adaptive viewers.")
}
