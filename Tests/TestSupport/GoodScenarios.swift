/// Fixtures of the scenario tests that the scenario language accepts.
package enum GoodScenarios {
    package static func path(_ name: String) -> String {
        "\(Programs.repository)/Tests/ScenarioTests/Fixtures/scenarios/good/\(name)"
    }
}
