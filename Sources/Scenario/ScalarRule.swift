import SimulationKernel
import Yams

/// Checks one YAML scalar against its specification. Its messages explain YAML's own traps.
enum ScalarRule {
    struct Fault: Error { var message: String }

    static func check(
        _ scalar: Node.Scalar, tag: Tag.Name, _ spec: ValueSpec
    ) -> Result<ResolvedValue, Fault> {
        let text = scalar.string
        func fail(_ message: String) -> Result<ResolvedValue, Fault> {
            .failure(Fault(message: message))
        }
        switch spec {
        case .constant(let value):
            guard tag == .int, text == "\(value)" else {
                return fail("expected \(value), not '\(text)'")
            }
            return .success(.integer(value))
        case .integer(let range):
            guard tag == .int, !text.contains(":"), let value = Int.construct(from: scalar) else {
                return fail("expected \(spec.hint), not '\(text)'\(trap(text, tag))")
            }
            guard range.contains(value) else { return fail("\(value) is outside \(spec.hint)") }
            return .success(.integer(value))
        case .boolean:
            guard tag == .bool, let value = Bool.construct(from: scalar) else {
                return fail("expected true or false, not '\(text)'")
            }
            return .success(.boolean(value))
        case .quantity(let quantity, let allowsZero):
            return checkQuantity(text, tag: tag, quantity, allowsZero: allowsZero)
        case .choice(let names):
            // YAML 1.1 reads a plain `off` as a truth value. If `off` is one of the choices, it is
            // that choice.
            if tag == .str || tag == .bool, names.contains(text) { return .success(.text(text)) }
            let nearest = NameDistance.nearest(to: text, among: names)
            return fail(
                "'\(text)' is not one of \(names.joined(separator: ", "))"
                    + (nearest.map { "; did you mean '\($0)'?" } ?? "") + trap(text, tag))
        case .text(let rule):
            guard tag == .str else { return fail("expected \(rule.hint)\(trap(text, tag))") }
            guard rule.isValid(text) else { return fail("'\(text)' is not \(rule.hint)") }
            return .success(.text(text))
        case .list, .object, .map, .table, .either:
            return fail("expected \(spec.hint), not '\(text)'")
        }
    }

    private static func checkQuantity(
        _ text: String, tag: Tag.Name, _ quantity: Quantity, allowsZero: Bool
    ) -> Result<ResolvedValue, Fault> {
        func fail(_ message: String) -> Result<ResolvedValue, Fault> {
            .failure(Fault(message: message))
        }
        if tag == .int || tag == .float, !text.contains(":") {
            return fail("'\(text)' has no unit; write \(quantity.hint)")
        }
        guard tag == .str, let value = quantity.parse(text) else {
            let unit = String(text.drop { $0.isNumber || $0 == "." || $0 == " " })
            let nearest = NameDistance.nearest(to: unit, among: quantity.units.map(\.name))
            let near = unit.isEmpty ? nil : nearest
            let advice = near.map { "; did you mean the unit '\($0)'?" } ?? ""
            return fail("'\(text)' is not \(quantity.hint)\(advice)\(trap(text, tag))")
        }
        guard value <= quantity.maximum else {
            return fail("\(text) is more than the limit, \(quantity.format(quantity.maximum))")
        }
        guard allowsZero || value > 0 else { return fail("\(text) must be more than 0") }
        return .success(.quantity(quantity, value))
    }

    /// Explains that YAML reads some plain words as something other than text.
    private static func trap(_ text: String, _ tag: Tag.Name) -> String {
        switch tag {
        case .bool: ": YAML reads \(text) as a truth value; put it in quotes if text is meant"
        case .null: ": YAML reads this as nothing; give a value or remove the key"
        case .int where text.contains(":"), .float where text.contains(":"):
            ": YAML reads \(text) as a sexagesimal number; write a number with a unit, such as 90s"
        case .int, .float: ": YAML reads \(text) as a number; put it in quotes if text is meant"
        case .timestamp: ": YAML reads \(text) as a date; put it in quotes if text is meant"
        default: ""
        }
    }
}
