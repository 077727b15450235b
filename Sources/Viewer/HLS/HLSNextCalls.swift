/// Times of the next calls that a session needs of its driver, in ms of the session; infinity = no
/// call is needed.
struct HLSNextCalls {
    /// Time at which to call `timer` for anything but a judgement.
    var timer = Double.infinity
    /// Time at which to call `progress`.
    var judgement = Double.infinity
}
