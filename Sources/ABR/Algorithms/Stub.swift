extension AlgorithmName: CustomStringConvertible {
    public static var allNames: [String] { ["fixed:0","throughput","bola-finite","bola-basic","bola-e","dynamic","dynamic-dash","bba-0"] }
    public init?(parsing text: String) {
        let all: [AlgorithmName] = [.throughput, .bolaFinite, .bolaBasic, .bolaE, .dynamic, .dynamicDASH, .bba0]
        guard let found = all.first(where: { $0.description == text }) else { return nil }
        self = found
    }
    public var description: String {
        switch self {
        case .fixed(let r): "fixed:\(r)"
        case .throughput: "throughput"
        case .bolaFinite: "bola-finite"
        case .bolaBasic: "bola-basic"
        case .bolaE: "bola-e"
        case .dynamic: "dynamic"
        case .dynamicDASH: "dynamic-dash"
        case .bba0: "bba-0"
        }
    }
}
