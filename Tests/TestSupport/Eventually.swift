/// A condition that did not come to hold.
package struct TimedOut: Error, CustomStringConvertible {
    package var description: String
}

/// Polls until `condition` holds.
///
/// - Parameters:
///   - what: the words of the failure, made when it is needed.
///   - limit: generous, for the machine may be busy.
/// - Throws: `TimedOut`, and what `condition` throws.
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
