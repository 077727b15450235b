import HTTPWire
public import Sockets

/// Settings of access, beside `ServerConfiguration.streamKeys`.
public struct AccessConfiguration: Sendable, Codable, Hashable {
    /// File with more stream keys, one a line.
    public var streamKeyFile: String?
    /// Keys that players need, in the form of stream keys. If the list is empty and there is no
    /// file, players need none.
    public var playKeys: [String] = []
    public var playKeyFile: String?
    /// Addresses that may connect at all.
    public var connections = AddressRules()
    public var publish = AddressRules()
    public var play = AddressRules()
    public var api = AddressRules()
    /// URL of a service that is asked whether a peer may connect, publish and play, and notified of
    /// ends.
    public var hook: String?
    public var hookTimeoutMilliseconds = 5_000
    /// Authorities to trust if the URL is https.
    public var hookTrust = TLSTrust()
    /// Bearer token for the API and metrics on other machines; nil = they are answered on this
    /// machine alone.
    public var apiToken: String?
    /// File with that token.
    public var apiTokenFile: String?

    public init() {}

    /// Fault of the settings, with the remedy; nil if there is none.
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
