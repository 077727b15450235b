/// One column of a results file, with the functions that write and read it and its description.
public struct CSVColumn<Row>: Sendable {
    /// Name in snake case, with the unit as suffix.
    public var name: String
    /// Unit; empty for names and identifiers.
    public var unit: String
    public var about: String
    /// Type: `string`, `integer` or `number`.
    public var type: String
    let get: @Sendable (Row) -> String
    let set: @Sendable (inout Row, String) -> Void

    public init(
        _ name: String, _ path: any WritableKeyPath<Row, String> & Sendable, _ about: String
    ) {
        (self.name, self.unit, self.about, self.type) = (name, "", about, "string")
        get = { $0[keyPath: path] }
        set = { $0[keyPath: path] = $1 }
    }

    public init(
        _ name: String, _ path: any WritableKeyPath<Row, Int?> & Sendable, unit: String = "",
        _ about: String
    ) {
        (self.name, self.unit, self.about, self.type) = (name, unit, about, "integer")
        get = { $0[keyPath: path].map(String.init) ?? "" }
        set = { $0[keyPath: path] = Int($1) ?? Double($1).flatMap { Int(exactly: $0) } }
    }

    public init(
        _ name: String, _ path: any WritableKeyPath<Row, Double?> & Sendable, unit: String = "",
        _ about: String
    ) {
        (self.name, self.unit, self.about, self.type) = (name, unit, about, "number")
        get = { row in row[keyPath: path].map(CSVNumber.text) ?? "" }
        set = { $0[keyPath: path] = Double($1) }
    }
}

/// The form of numbers in results.
public enum CSVNumber {
    /// Writes a number with at most six decimals, and without an exponent if possible; the text is
    /// empty if the number is not finite.
    public static func text(_ value: Double) -> String {
        guard value.isFinite else { return "" }
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
        return abs(value) < 1e9 ? "\((value * 1e6).rounded() / 1e6)" : "\(value)"
    }
}
