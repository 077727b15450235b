import Scenario
import Stacks

extension TrialScenario {
    /// Notes about what a run of this scenario cannot honour or cannot see.
    func notes(_ links: [GroupLink], _ endpoints: StackEndpoints) -> [String] {
        var notes = GroupLink.notes(links)
        notes += unsupportedSettings.map { "\(stack.driver.rawValue) cannot honour \($0)" }
        notes += relayNotes
        if !endpoints.encryptedParts.isEmpty {
            notes.append(
                "\(endpoints.encryptedParts.joined(separator: ", ")) goes over TLS: the capture counts bytes by port, and sees no renditions, frames or delays in it"
            )
        }
        return notes
    }

    /// Notes about what the figures of a relay's targets are.
    private var relayNotes: [String] {
        guard let relay else { return [] }
        var notes = [
            "each session at a target counts as a viewer that is a probe; the capture does not see "
                + "what the server sends to targets"
        ]
        if relay.link != nil || (relay.faults?.stalled ?? 0) > 0 {
            notes.append(
                "links of targets limit what a sink reads of its socket, and a byte counts as "
                    + "arrived when a link of that rate would have carried it; no packet is delayed, "
                    + "and the server's TCP sees a slow reader")
        }
        return notes
    }
}
