import HTTPWire
public import Sockets

/// Who may do what, beside `ServerConfiguration.streamKeys`.
public struct AccessConfiguration: Sendable, Codable, Hashable {
    /// File with more stream keys, one a line.
    public var streamKeyFile: String?
    /// Keys that players need, in the form of stream keys. Empty = none, unless there is a file.
    public var playKeys: [String] = []
    public var playKeyFile: String?
    /// From where anything may be done at all.
    public var connections = AddressRules()
    public var publish = AddressRules()
    public var play = AddressRules()
    public var api = AddressRules()
    /// URL that is asked whether somebody may connect, publish and play, and told of ends.
    public var hook: String?
    public var hookTimeoutMilliseconds = 5_000
    /// Who vouches for the service where the URL is https.
    public var hookTrust = TLSTrust()
    /// Bearer token for the API and metrics where they are not asked for on this machine;
    /// nil = they are answered here alone.
    public var apiToken: String?
    /// File with that token.
    public var apiTokenFile: String?

    public init() {}

    /// What is wrong with the settings and how to mend it; nil if nothing is.
    public var problem: String? {
        for rule in playKeys {
            if let problem = StreamKeys.problem(of: rule) { return problem }
        }
        for rules in [connections, publish, play, api] {
            if let problem = rules.problem { return problem }
        }
        if let hook {
            do throws(HTTPURL.Fault) {
                _ = try HTTPURL(hook)
            } catch {
                return "the call-back's address: \(error)"
            }
        }
        if !(10...60_000).contains(hookTimeoutMilliseconds) {
            return
                "the call-back's time-out is \(hookTimeoutMilliseconds) ms; give 10 to 60000"
        }
        return APIGate.problem(token: apiToken, file: apiTokenFile)
    }
}
