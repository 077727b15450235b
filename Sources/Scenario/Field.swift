/// A type that a mapping of a scenario file is decoded into.
///
/// Only the list of its fields names the keys. Grammar, defaults, canonical YAML and decoding are
/// derived from that list, just as the files of results are derived from the columns of their rows.
/// The text of a field also documents its property.
package protocol ScenarioMapping: Sendable {
    /// Creates a value with the default of each property. The initial value of a required key is
    /// never used.
    init()
    static var fields: [Field<Self>] { get }
    /// Groups of fields. A file may give at most one field of each group.
    static var exclusive: [[PartialKeyPath<Self>]] { get }
    /// Fields of which a file must give at least one; empty = no such rule.
    static var atLeastOne: [PartialKeyPath<Self>] { get }
}

extension ScenarioMapping {
    package static var exclusive: [[PartialKeyPath<Self>]] { [] }
    package static var atLeastOne: [PartialKeyPath<Self>] { [] }

    package static var spec: ObjectSpec {
        ObjectSpec(
            fields: fields.map(\.spec), exclusive: exclusive.map { $0.map(key) },
            exactlyOne: fields.filter(\.isAlternative).map(\.key),
            atLeastOne: atLeastOne.map(key))
    }

    /// Returns the key of a property that is in the list of fields.
    package static func key(_ path: PartialKeyPath<Self>) -> String {
        guard let field = fields.first(where: { ($0.path as PartialKeyPath?) == path }) else {
            preconditionFailure("no field of \(Self.self) has the path \(path)")
        }
        return field.key
    }

    /// - Parameter path: Path of the mapping in the file, at which faults are reported.
    init(_ object: ResolvedObject, at path: String, _ reader: inout ScenarioReader) {
        self.init()
        for field in Self.fields { field.read(object, at: path, into: &self, &reader) }
    }

    /// The mapping in the form of canonical YAML.
    var resolved: ResolvedObject { ResolvedObject(Self.fields, of: self) }
}

extension ResolvedObject {
    init<Root>(_ fields: [Field<Root>], of root: Root) {
        values = fields.compactMap { field in field.get(root).map { (field.key, $0) } }
    }
}

/// One key of a mapping, with the property that holds its value.
package struct Field<Root: ScenarioMapping>: Sendable {
    package typealias Path<Value> = any WritableKeyPath<Root, Value> & Sendable
    typealias Set =
        @Sendable (inout Root, ResolvedValue, String, inout ScenarioReader) -> Void

    let spec: FieldSpec
    /// Key path of the field's property; nil if no single property holds the value.
    let path: (any PartialKeyPath<Root> & Sendable)?
    /// Whether the key stands for one case of a sum. A file gives exactly one case.
    private(set) var isAlternative = false
    /// Returns the value for canonical YAML; nil if the key is left out.
    let get: @Sendable (Root) -> ResolvedValue?
    private let set: Set

    var key: String { spec.key }

    func read(
        _ object: ResolvedObject, at path: String, into root: inout Root,
        _ reader: inout ScenarioReader
    ) {
        guard let value = object[key] else { return }
        set(&root, value, ScenarioReader.path(path, key), &reader)
    }

    private init(
        _ spec: FieldSpec, get: @escaping @Sendable (Root) -> ResolvedValue? = { _ in nil },
        set: @escaping Set = { _, _, _, _ in }
    ) {
        (self.spec, path, self.get, self.set) = (spec, nil, get, set)
    }

    private init<Value>(
        _ spec: FieldSpec, _ path: Path<Value>, _ decode: @escaping ValueKind<Value>.Decode,
        get: @escaping @Sendable (Root) -> ResolvedValue? = { _ in nil }
    ) {
        (self.spec, self.path, self.get) = (spec, path, get)
        set = { root, value, place, reader in
            if let value = decode(value, place, &reader) { root[keyPath: path] = value }
        }
    }

    /// Makes a field of a property's type into a field of the type that has the property.
    init<Inner>(_ field: Field<Inner>, of property: Path<Inner>) {
        self.init(
            field.spec, get: { field.get($0[keyPath: property]) },
            set: { field.set(&$0[keyPath: property], $1, $2, &$3) })
    }

    package static func required<Value>(
        _ key: String, _ path: Path<Value>, _ kind: ValueKind<Value>, _ about: String
    ) -> Field {
        let spec = FieldSpec(key: key, value: kind.spec, isRequired: true, about: about)
        return Field(spec, path, kind.decode) { kind.encode($0[keyPath: path]) }
    }

    /// A key whose default is its property's initial value.
    /// - Parameter unit: Unit in which the schema names the default; nil = the largest unit.
    package static func standard<Value>(
        _ key: String, _ path: Path<Value>, _ kind: ValueKind<Value>, in unit: String? = nil,
        _ about: String
    ) -> Field {
        let get = { @Sendable (root: Root) in kind.encode(root[keyPath: path]) }
        let spec = FieldSpec(
            key: key, value: kind.spec, standard: get(Root()), unit: unit, about: about)
        return Field(spec, path, kind.decode, get: get)
    }

    /// A key without a default.
    package static func optional<Value>(
        _ key: String, _ path: Path<Value?>, _ kind: ValueKind<Value>, _ about: String
    ) -> Field {
        let spec = FieldSpec(key: key, value: kind.spec, about: about)
        return Field(spec, path, { .some(kind.decode($0, $1, &$2)) }) {
            $0[keyPath: path].flatMap(kind.encode)
        }
    }

    /// A key with a default that canonical YAML leaves out, because it depends on other keys.
    package static func implied<Value>(
        _ key: String, _ path: Path<Value>, _ kind: ValueKind<Value>, _ about: String
    ) -> Field {
        Field(FieldSpec(key: key, value: kind.spec, about: about), path, kind.decode)
    }

    /// A required key whose value is not kept, because only one value is valid.
    static func checked(_ key: String, _ value: ValueSpec, _ about: String) -> Field {
        Field(FieldSpec(key: key, value: value, isRequired: true, about: about))
    }

    /// One case of a sum. Its key makes the whole value.
    static func alternative<Value>(
        _ key: String, _ make: @escaping @Sendable (Value) -> Root, _ kind: ValueKind<Value>,
        _ about: String
    ) -> Field {
        let spec = FieldSpec(key: key, value: kind.spec, about: about)
        var field = Field(spec, \.self, kind.map { make($0) }.decode)
        field.isAlternative = true
        return field
    }

    /// A mapping whose keys are properties of the enclosing type.
    package static func section(
        _ key: String, isRequired: Bool = false, _ about: String, _ fields: [Field]
    ) -> Field {
        let get = { @Sendable (root: Root) -> ResolvedValue? in
            .object(ResolvedObject(fields, of: root))
        }
        let spec = FieldSpec(
            key: key, value: .object(ObjectSpec(fields: fields.map(\.spec))),
            standard: isRequired ? nil : get(Root()), isRequired: isRequired, about: about)
        return Field(spec, get: get) { root, value, place, reader in
            guard case .object(let object) = value else { return }
            for field in fields { field.read(object, at: place, into: &root, &reader) }
        }
    }
}
