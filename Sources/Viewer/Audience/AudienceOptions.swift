package import Sockets

/// Options for the connections of an audience's viewers.
package struct AudienceOptions: Sendable {
    /// TCP congestion control; nil = the system's choice.
    package var congestionControl: String?
    /// Authorities that https and rtmps trust.
    package var trust = TLSTrust()

    package init() {}
}
