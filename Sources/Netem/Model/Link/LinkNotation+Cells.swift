import SimulationKernel

extension QueueDiscipline {
    static let names = ["infinite", "droptail", "drophead", "codel", "pie"]

    /// Reads `infinite`, `droptail:64KB`, `droptail:100p`, `drophead:64KB`,
    /// `codel[:target=5ms,interval=100ms,limit=1000p]`, `pie[:target=15ms,tupdate=15ms,burst=150ms,
    /// limit=64KB]`.
    public init(parsing text: String) throws(LinkError) {
        let (name, rest) = LinkNotation.split(text)
        switch name {
        case "infinite":
            guard rest == nil else { throw LinkError("'infinite' takes no limit; leave it away") }
            self = .infinite
        case "droptail", "drophead":
            guard let rest else {
                throw LinkError("\(name) needs a limit, such as \(name):64KB or \(name):100p")
            }
            let limit = try LinkNotation.limit(rest)
            self = name == "droptail" ? .dropTail(limit) : .dropHead(limit)
        case "codel":
            let values = try LinkNotation.arguments(
                rest, of: name, known: ["target", "interval", "limit"])
            var parameters = CoDelParameters()
            if let text = values["target"] {
                parameters.targetNanoseconds = try LinkNotation.nanoseconds(text, "target")
            }
            if let text = values["interval"] {
                parameters.intervalNanoseconds = try LinkNotation.nanoseconds(text, "interval")
            }
            self = .coDel(parameters, limit: try Self.limit(values))
        case "pie":
            let values = try LinkNotation.arguments(
                rest, of: name, known: ["target", "tupdate", "burst", "limit"])
            var parameters = PIEParameters()
            if let text = values["target"] {
                parameters.targetNanoseconds = try LinkNotation.nanoseconds(text, "target")
            }
            if let text = values["tupdate"] {
                parameters.updateNanoseconds = try LinkNotation.nanoseconds(text, "tupdate")
            }
            if let text = values["burst"] {
                parameters.burstNanoseconds = try LinkNotation.nanoseconds(text, "burst")
            }
            self = .pie(parameters, limit: try Self.limit(values))
        default: throw LinkNotation.unknown(name, "queue", among: Self.names)
        }
        try check()
    }

    private static func limit(_ values: [String: String]) throws(LinkError) -> QueueLimit? {
        guard let text = values["limit"] else { return nil }
        return try LinkNotation.limit(text)
    }
}

extension LossModel {
    static let names = ["none", "random", "gemodel", "state", "replay"]

    /// Reads `none`, `1%` or `random:1%`, `gemodel:p=1%,r=10%[,1-h=100%][,1-k=0%]`,
    /// `state:p13=1%,p31=10%[,p32=…][,p23=…][,p14=…]` (with netem's defaults: p32 0 %, p23 100 %,
    /// p14 0 %) and `replay:0010` (1 is a loss; the list repeats).
    public init(parsing text: String) throws(LinkError) {
        let (name, rest) = LinkNotation.split(text)
        switch name {
        case "none": self = .none
        case "random":
            self = .bernoulli(try LinkNotation.value(rest ?? "", .share, "the loss"))
        case "gemodel":
            let values = try Self.shares(rest, of: name, known: ["p", "r", "1-h", "1-k"])
            guard let p = values["p"], let r = values["r"] else {
                throw LinkError("gemodel needs p and r, such as gemodel:p=1%,r=10%")
            }
            self = .gilbertElliott(
                p: p, r: r, lossInBad: values["1-h"] ?? 1, lossInGood: values["1-k"] ?? 0)
        case "state":
            let values = try Self.shares(
                rest, of: name, known: ["p13", "p31", "p32", "p23", "p14"])
            guard let p13 = values["p13"], let p31 = values["p31"] else {
                throw LinkError("state needs p13 and p31, such as state:p13=1%,p31=10%")
            }
            self = .fourState(
                p13: p13, p31: p31, p32: values["p32"] ?? 0, p23: values["p23"] ?? 1,
                p14: values["p14"] ?? 0)
        case "replay":
            let list = rest ?? ""
            guard !list.isEmpty, list.allSatisfy({ $0 == "0" || $0 == "1" }) else {
                throw LinkError("replay takes a list of 0 (passes) and 1 (lost), as replay:0010")
            }
            self = .replay(list.map { $0 == "1" })
        default:
            guard name.first?.isNumber == true || name.hasPrefix("-") || name.hasPrefix(".") else {
                throw LinkNotation.unknown(name, "loss model", among: Self.names)
            }
            self = .bernoulli(
                try LinkNotation.value(LinkNotation.trimmed(text), .share, "the loss"))
        }
        try check()
    }

    private static func shares(
        _ text: String?, of name: String, known: [String]
    ) throws(LinkError) -> [String: Double] {
        var values: [String: Double] = [:]
        for (key, text) in try LinkNotation.arguments(text, of: name, known: known) {
            values[key] = try LinkNotation.value(text, .share, key)
        }
        return values
    }
}

extension DelayModel {
    /// Reads `20ms`, `20ms±5ms` (or `+-`), then in any order a distribution (`uniform`, `normal`,
    /// `pareto`), a correlation (`25%`) and `reorder` (packets may overtake).
    public init(parsing text: String) throws(LinkError) {
        let normal = text.split(separator: "+-", omittingEmptySubsequences: false)
            .joined(separator: "±")
        let halves = normal.split(separator: "±", omittingEmptySubsequences: false)
        guard halves.count <= 2 else { throw LinkError("the delay '\(text)' has more than one ±") }
        self.init(
            nanoseconds: try LinkNotation.nanoseconds(
                LinkNotation.trimmed(halves[0]), "the delay"))
        if halves.count == 2 {
            let words = halves[1].split(separator: " ").map(String.init)
            jitterNanoseconds = try LinkNotation.nanoseconds(words.first ?? "", "the jitter")
            for word in words.dropFirst() {
                if let distribution = Distribution(rawValue: word) {
                    self.distribution = distribution
                } else if word == "reorder" {
                    keepsOrder = false
                } else if word.first?.isNumber == true {
                    correlation = try LinkNotation.value(word, .share, "the correlation")
                } else {
                    throw LinkNotation.unknown(
                        word, "distribution",
                        among: Distribution.allCases.map(\.rawValue) + ["reorder"])
                }
            }
        }
        try check()
    }
}

extension RateModel {
    /// Reads `unlimited`, `2Mbps` and `bucket:rate=2Mbps,burst=16KB`.
    public init(parsing text: String) throws(LinkError) {
        let (name, rest) = LinkNotation.split(text)
        switch name {
        case "unlimited": self = .unlimited
        case "bucket":
            let values = try LinkNotation.arguments(rest, of: name, known: ["rate", "burst"])
            guard let rate = values["rate"], let burst = values["burst"] else {
                throw LinkError("bucket needs a rate and a burst, as bucket:rate=2Mbps,burst=16KB")
            }
            self = .tokenBucket(
                Bitrate(bitsPerSecond: Int(try LinkNotation.value(rate, .bitrate, "the rate"))),
                burstBytes: Int(try LinkNotation.value(burst, .bytes, "the burst")))
        default:
            guard name.first?.isNumber == true || name.hasPrefix("-") || name.hasPrefix(".") else {
                throw LinkNotation.unknown(name, "rate model", among: ["unlimited", "bucket"])
            }
            let value = try LinkNotation.value(LinkNotation.trimmed(text), .bitrate, "the rate")
            guard value > 0 else {
                throw LinkError(
                    "the rate is '\(text)', so that nothing ever passes; it takes more than 0, an outage is a trace with a period of rate 0"
                )
            }
            self = .constant(Bitrate(bitsPerSecond: Int(value)))
        }
        try check()
    }
}
