import Scenario
import Stacks

extension TrialScenario {
    /// Notes about what a run of this scenario cannot honour or cannot see.
    func notes(_ links: [GroupLink], _ endpoints: StackEndpoints) -> [String] {
        var notes = GroupLink.notes(links)
        notes += unsupportedSettings.map { "\(stack.driver.rawValue) cannot honour \($0)" }
        if !endpoints.encryptedParts.isEmpty {
            notes.append(
                "\(endpoints.encryptedParts.joined(separator: ", ")) goes over TLS: the capture counts bytes by port, and sees no renditions, frames or delays in it"
            )
        }
        return notes
    }
}
