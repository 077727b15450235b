import ABR

/// The order in which a session performs its player's actions, and the player's timer. An action
/// that follows from another one is performed after it, never within it. Times are ms of the
/// session.
struct HLSPlayerTurn {
    /// Whether an action of the player is being performed. A new action waits until that one is
    /// over.
    private enum State: Hashable {
        case none
        case acting(next: Player.Action?)
    }

    /// Largest number of actions in one turn. Further actions follow a moment later.
    private static let mostActions = 1_000

    private var state = State.none
    /// Number of actions in the present turn.
    private var count = 0
    /// An action that follows when the player's timer ends.
    private var postponed: Player.Action?
    /// Time until which the player waits; infinity if the player does not wait.
    private(set) var timer = Double.infinity

    /// Adds an action that the player wants.
    /// - Returns: true if a new turn begins with the action; false if the present turn continues
    ///   with it.
    mutating func begin(_ action: Player.Action) -> Bool {
        let isWithin = state != .none
        state = .acting(next: action)
        if !isWithin { count = 0 }
        return !isWithin
    }

    /// Returns the action to perform now.
    mutating func next(at time: Double) -> Player.Action? {
        guard case .acting(let action?) = state else { return nil }
        state = .acting(next: nil)
        count += 1
        guard count <= Self.mostActions else {
            postponed = action
            timer = time + 1
            return nil
        }
        return action
    }

    mutating func end() { state = .none }

    mutating func wait(until time: Double) { timer = time }

    /// Ends the timer.
    /// - Returns: the action that was postponed until now; nil if the player is to be asked.
    mutating func endTimer() -> Player.Action? {
        timer = .infinity
        defer { postponed = nil }
        return postponed
    }
}
