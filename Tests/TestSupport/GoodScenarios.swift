/// The scenarios that the language accepts, as the tests of the language have them.
package enum GoodScenarios {
    package static func path(_ name: String) -> String {
        "\(Programs.repository)/Tests/ScenarioTests/Fixtures/scenarios/good/\(name)"
    }
}
