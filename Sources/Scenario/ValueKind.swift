package import SimulationKernel

/// A kind of value: its form in a file, and its conversion to a value of the program.
package struct ValueKind<Value: Sendable>: Sendable {
    typealias Decode =
        @Sendable (ResolvedValue, _ path: String, inout ScenarioReader) -> Value?

    let spec: ValueSpec
    /// Decodes a file's value; nil if that is impossible, which is reported at the path.
    let decode: Decode
    /// Returns the form of a value in a file; nil if the value cannot be written in a file.
    let encode: @Sendable (Value) -> ResolvedValue?

    init(
        _ spec: ValueSpec, decode: @escaping Decode,
        encode: @escaping @Sendable (Value) -> ResolvedValue? = { _ in nil }
    ) {
        (self.spec, self.decode, self.encode) = (spec, decode, encode)
    }

    private init(
        scalar spec: ValueSpec, _ decode: @escaping @Sendable (ResolvedValue) -> Value?,
        _ encode: @escaping @Sendable (Value) -> ResolvedValue
    ) {
        self.init(spec, decode: { value, _, _ in decode(value) }, encode: encode)
    }

    /// - Parameter back: Inverse conversion. Without it, a default cannot be named.
    package func map<Other>(
        _ convert: @escaping @Sendable (Value) -> Other?,
        back: @escaping @Sendable (Other) -> Value? = { _ in nil }
    ) -> ValueKind<Other> {
        .init(
            spec, decode: { decode($0, $1, &$2).flatMap(convert) },
            encode: { back($0).flatMap(encode) })
    }

    /// Converts a value with the help of the file's folder and seed. An error is reported at the
    /// position of the value.
    package func reading<Other>(
        _ convert: @escaping @Sendable (Value, ScenarioReader) throws -> Other,
        back: @escaping @Sendable (Other) -> Value? = { _ in nil }
    ) -> ValueKind<Other> {
        let decode: ValueKind<Other>.Decode = { value, path, reader in
            guard let value = self.decode(value, path, &reader) else { return nil }
            do {
                return try convert(value, reader)
            } catch {
                reader.report(at: path, "\(error)")
                return nil
            }
        }
        return .init(spec, decode: decode, encode: { back($0).flatMap(encode) })
    }
}

extension ValueKind {
    /// Returns the first of two kinds whose YAML shape fits.
    static func either(_ first: ValueKind, _ second: ValueKind) -> ValueKind {
        ValueKind(
            .either([first.spec, second.spec]),
            decode: { first.decode($0, $1, &$2) ?? second.decode($0, $1, &$2) },
            encode: { first.encode($0) ?? second.encode($0) })
    }

    package static func list<Item>(
        _ item: ValueKind<Item>, minimum: Int = 1
    ) -> ValueKind<[Item]> {
        .init(
            .list(item.spec, minimum: minimum),
            decode: { value, path, reader in
                guard case .list(let items) = value else { return nil }
                return items.enumerated().compactMap {
                    item.decode($1, "\(path)[\($0)]", &reader)
                }
            }, encode: { .list($0.compactMap(item.encode)) })
    }

    package static func text(_ rule: TextRule) -> ValueKind<String> { words(.text(rule)) }
    package static func choice(among names: [String]) -> ValueKind<String> { words(.choice(names)) }

    private static func words(_ spec: ValueSpec) -> ValueKind<String> {
        .init(scalar: spec, { if case .text(let text) = $0 { text } else { nil } }, { .text($0) })
    }

    package static func integer(_ range: ClosedRange<Int>) -> ValueKind<Int> {
        .init(
            scalar: .integer(range), { if case .integer(let number) = $0 { number } else { nil } },
            { .integer($0) })
    }

    package static var boolean: ValueKind<Bool> {
        .init(
            scalar: .boolean, { if case .boolean(let flag) = $0 { flag } else { nil } },
            { .boolean($0) })
    }

    /// A number in the unit in which the quantity is held.
    package static func quantity(_ quantity: Quantity, zero: Bool = false) -> ValueKind<Double> {
        .init(
            scalar: .quantity(quantity, allowsZero: zero),
            { if case .quantity(_, let number) = $0 { number } else { nil } },
            { .quantity(quantity, $0) })
    }

    package static func share(zero: Bool = true) -> ValueKind<Double> {
        quantity(.share, zero: zero)
    }

    static var byteCount: ValueKind<Int> {
        quantity(.byteCount).map({ Int($0) }, back: { Double($0) })
    }

    static func duration(zero: Bool = false) -> ValueKind<Duration> {
        quantity(.duration, zero: zero).map(
            { .nanoseconds(Int64($0)) }, back: { Double($0.nanoseconds) })
    }

    package static func bitrate(zero: Bool = false) -> ValueKind<Bitrate> {
        quantity(.bitrate, zero: zero).map(
            { Bitrate(bitsPerSecond: Int($0)) }, back: { Double($0.bitsPerSecond) })
    }
}

extension ValueKind where Value: ScenarioMapping {
    package static var mapping: Self {
        .init(
            .object(Value.spec),
            decode: { value, path, reader in
                guard case .object(let object) = value else { return nil }
                return Value(object, at: path, &reader)
            }, encode: { .object($0.resolved) })
    }
}

extension ValueKind where Value: Equatable {
    /// Names, each of which stands for a value.
    package static func named(_ table: [(name: String, value: Value)]) -> Self {
        choice(among: table.map(\.name)).map(
            { name in table.first { $0.name == name }?.value },
            back: { value in table.first { $0.value == value }?.name })
    }

    /// The preset `edge-ladder`, or another value of a file.
    static func preset(_ value: Value, or other: ValueKind) -> ValueKind {
        either(named([("edge-ladder", value)]), other)
    }
}

extension ValueKind
where Value: CaseIterable & RawRepresentable & Equatable, Value.RawValue == String {
    package static var choice: Self { named(Value.allCases.map { ($0.rawValue, $0) }) }
}
