extension CaptureSummary {
    /// Notes on packets that were captured twice, cut or coded, each with its remedy, in whole
    /// sentences.
    public var notes: [String] {
        var notes: [String] = []
        if let copies {
            let places =
                copies.interfaces.count > 1 ? " of \(Self.list(copies.interfaces))" : ""
            notes.append(
                "\(copies.packets) packets\(places) are copies of others, each counts once: "
                    + copies.mend)
        }
        if cutPackets > 0 {
            notes.append(
                "\(cutPackets) of \(packets) packets are cut at \(cutLength) bytes: capture with "
                    + "-s 0")
        }
        if encryptedFlows > 0 {
            notes.append(
                "\(encryptedFlows) connections are encrypted (TLS) and counted by headers: capture "
                    + "where the traffic is plain, for example behind the proxy that ends TLS")
        }
        for bodies in unreadBodies {
            notes.append(
                "\(bodies.bodies) bodies are coded as '\(bodies.coding)', which cannot be read: "
                    + bodies.mend)
        }
        return notes
    }

    /// The notes, and the packets passed over that may have carried media.
    public var warnings: [String] {
        notes
            + passedOver.filter(\.mayMatter).map {
                "\($0.packets) packets were passed over (\($0.name)): \($0.mend)"
            }
    }

    private static func list(_ names: [String]) -> String {
        guard let last = names.last, names.count > 1 else { return names.joined() }
        return names.dropLast().joined(separator: ", ") + " and " + last
    }
}
