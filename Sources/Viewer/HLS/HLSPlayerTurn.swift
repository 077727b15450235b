import ABR

/// The actions of a session's player in their order, and the player's timer. What an action leads to
/// is carried out after that action, and never within it. Times are ms of the session.
struct HLSPlayerTurn {
    /// Whether an action of the player is being carried out. An action that comes meanwhile is next.
    private enum State: Hashable {
        case none
        case acting(next: Player.Action?)
    }

    /// The most actions of one turn. Further actions follow a moment later.
    private static let mostActions = 1_000

    private var state = State.none
    /// The number of actions in the present turn.
    private var count = 0
    /// An action that follows when the player's timer ends.
    private var postponed: Player.Action?
    /// Until when the player waits; infinity where the player does not wait.
    private(set) var timer = Double.infinity

    /// The player wants an action.
    /// - Returns: whether a turn begins with the action; otherwise the present turn goes on with it.
    mutating func begin(_ action: Player.Action) -> Bool {
        let isWithin = state != .none
        state = .acting(next: action)
        if !isWithin { count = 0 }
        return !isWithin
    }

    /// The action that is to be carried out now.
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

    /// The timer has ended.
    /// - Returns: the action that was postponed until then; nil where the player is to be asked.
    mutating func endTimer() -> Player.Action? {
        timer = .infinity
        defer { postponed = nil }
        return postponed
    }
}
