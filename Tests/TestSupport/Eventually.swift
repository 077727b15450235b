/// Error for a condition that did not become true in time.
package struct TimedOut: Error, CustomStringConvertible {
    package var description: String
}

/// Polls until `condition` is true.
///
/// - Parameters:
///   - what: Text of the failure, evaluated only if the condition fails.
///   - limit: Longest time to wait; it is generous, because the machine may be busy.
/// - Throws: `TimedOut`, or an error of `condition`.
package func eventually(
    _ what: @autoclosure () -> String, within limit: Duration = .seconds(60),
    isolation: isolated (any Actor)? = #isolation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else {
            throw TimedOut(description: "not within \(limit): \(what())")
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}
