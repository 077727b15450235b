/// Times of the next calls that a session needs of its driver, in ms of the session; infinity = no
/// call is needed.
struct HLSNextCalls {
    /// Time at which to pass the event `timer`, which serves everything but judgements.
    var timer = Double.infinity
    /// Time at which to pass the event `progress`.
    var judgement = Double.infinity
}
