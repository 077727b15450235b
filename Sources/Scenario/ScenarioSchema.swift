extension TrialScenario {
    /// The scenario language as JSON Schema draft-07, for editors and for checks by other programs.
    ///
    /// The schema is made from the same specification as the decoder. Only the decoder checks upper
    /// limits of quantities and rules that span several keys (sums, names that must exist).
    package static var schema: String {
        var members = ScenarioSchema.object(spec)
        members.insert(
            ("$schema", .string("http://json-schema.org/draft-07/schema#")), at: 0)
        members.insert(("title", .string("Millrace scenario, version 1")), at: 1)
        members.append(("allOf", .array(ScenarioSchema.driverRules)))
        return SchemaValue.object(members).text(indent: 0) + "\n"
    }
}

/// JSON with its members in a chosen order.
package indirect enum SchemaValue {
    case string(String)
    case integer(Int)
    case boolean(Bool)
    case array([SchemaValue])
    case object([(String, SchemaValue)])

    package func text(indent: Int) -> String {
        let pad = String(repeating: " ", count: indent + 2)
        let end = "\n" + String(repeating: " ", count: indent)
        switch self {
        case .string(let text): return ResolvedValue.quoted(text)
        case .integer(let value): return "\(value)"
        case .boolean(let value): return "\(value)"
        case .array(let items):
            return items.isEmpty
                ? "[]" : "[" + items.map { $0.text(indent: indent) }.joined(separator: ", ") + "]"
        case .object(let members):
            let lines = members.map {
                pad + ResolvedValue.quoted($0.0) + ": " + $0.1.text(indent: indent + 2)
            }
            return members.isEmpty ? "{}" : "{\n" + lines.joined(separator: ",\n") + end + "}"
        }
    }
}

package enum ScenarioSchema {
    package static func object(_ spec: ObjectSpec) -> [(String, SchemaValue)] {
        var members: [(String, SchemaValue)] = [
            ("type", .string("object")), ("additionalProperties", .boolean(false)),
            ("properties", .object(spec.fields.map { ($0.key, property($0)) })),
        ]
        let required = spec.fields.filter(\.isRequired).map { SchemaValue.string($0.key) }
        if !required.isEmpty { members.append(("required", .array(required))) }
        if !spec.exactlyOne.isEmpty {
            members.append(
                (
                    "oneOf",
                    .array(spec.exactlyOne.map { .object([("required", .array([.string($0)]))]) })
                ))
        }
        if !spec.atLeastOne.isEmpty {
            members.append(
                (
                    "anyOf",
                    .array(spec.atLeastOne.map { .object([("required", .array([.string($0)]))]) })
                ))
        }
        let groups = spec.exclusive.map { group in
            SchemaValue.object([("required", .array(group.map { .string($0) }))])
        }
        if let group = groups.first {
            members.append(
                ("not", groups.count == 1 ? group : .object([("anyOf", .array(groups))])))
        }
        return members
    }

    private static func property(_ field: FieldSpec) -> SchemaValue {
        guard case .object(var members) = value(field.value) else { return .boolean(true) }
        let standard = field.standard.map { " Default: \($0.words(unit: field.unit))." } ?? ""
        members.append(("description", .string(field.about + standard)))
        return .object(members)
    }

    static func value(_ spec: ValueSpec) -> SchemaValue {
        switch spec {
        case .constant(let value):
            return .object([("type", .string("integer")), ("const", .integer(value))])
        case .text(let rule):
            let type: [(String, SchemaValue)] = [("type", .string("string"))]
            return .object(type + (rule.pattern.map { [("pattern", .string($0))] } ?? []))
        case .integer(let range):
            return .object([
                ("type", .string("integer")), ("minimum", .integer(range.lowerBound)),
                ("maximum", .integer(range.upperBound)),
            ])
        case .boolean: return .object([("type", .string("boolean"))])
        case .quantity(let quantity, let allowsZero):
            return .object([
                ("type", .string("string")),
                ("pattern", .string(quantity.pattern(allowsZero: allowsZero))),
            ])
        case .choice(let names): return .object([("enum", .array(names.map { .string($0) }))])
        case .list(let item, let minimum):
            return .object([
                ("type", .string("array")), ("minItems", .integer(minimum)),
                ("items", value(item)),
            ])
        case .object(let object): return .object(self.object(object))
        case .map(let item):
            let tags = Threshold.tagNames.joined(separator: "|")
            let metrics = Metric.allCases.map(\.rawValue).joined(separator: "|")
            let selector = "^(\(metrics))(\\{ *(\(tags)) *:[^,}]+(, *(\(tags)) *:[^,}]+)*\\})?$"
            return .object([
                ("type", .string("object")), ("additionalProperties", .boolean(false)),
                ("patternProperties", .object([(selector, value(item))])),
            ])
        case .table(let names, let item):
            return .object([
                ("type", .string("object")), ("additionalProperties", .boolean(false)),
                ("patternProperties", .object([(names.pattern ?? "", value(item))])),
            ])
        case .either(let alternatives):
            return .object([("anyOf", .array(alternatives.map(value)))])
        }
    }

    /// Rules about other keys that depend on the driver.
    static var driverRules: [SchemaValue] {
        func when(_ driver: String, then: SchemaValue) -> SchemaValue {
            let isDriver = SchemaValue.object([
                ("properties", .object([("driver", .object([("const", .string(driver))]))])),
                ("required", .array([.string("driver")])),
            ])
            return .object([
                (
                    "if",
                    .object([
                        ("properties", .object([("stack", isDriver)])),
                        ("required", .array([.string("stack")])),
                    ])
                ), ("then", then),
            ])
        }
        let names = SchemaValue.object([("enum", .array([.string("rtmp"), .string("hls")]))])
        let noFLV = SchemaValue.object([("properties", .object([("protocol", names)]))])
        let viewers = SchemaValue.object([("items", noFLV)])
        let url = SchemaValue.object([("required", .array([.string("url")]))])
        let command = SchemaValue.object([("required", .array([.string("command")]))])
        return [
            when("nginx-rtmp", then: .object([("properties", .object([("viewers", viewers)]))])),
            when("external", then: .object([("properties", .object([("stack", url)]))])),
            when("command", then: .object([("properties", .object([("stack", command)]))])),
        ]
    }
}
