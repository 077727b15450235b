import Processes
import Testing

@Suite struct RestartPolicyTests {
    @Test func delaysDoubleUpToALimit() {
        let policy = RestartPolicy()
        let whole = (1...9).map { policy.delayMilliseconds(failures: $0, jitter: 0) }
        #expect(whole == [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
        #expect(policy.delayMilliseconds(failures: 3, jitter: 1) == 500)
        #expect(policy.delayMilliseconds(failures: .max, jitter: 0) == 15_000)
    }

    @Test func aProgramIsGivenUpUnlessItRanForAWhile() {
        var policy = RestartPolicy()
        policy.limit = 2
        var backoff = RestartBackoff(policy)
        #expect(backoff.ended(afterMilliseconds: 0) == 250)
        #expect(backoff.ended(afterMilliseconds: 9_999) == 500)
        #expect(backoff.ended(afterMilliseconds: 10_000) == 250)
        #expect(backoff.ended(afterMilliseconds: 0) == 500)
        #expect(backoff.ended(afterMilliseconds: 0) == nil)
    }

    @Test func settingsOutOfTheirRangesAreNamed() throws {
        try RestartPolicy().check()
        let faults: [(String, (inout RestartPolicy) -> Void)] = [
            (
                "9 milliseconds before the first restart; it takes 10 to 60000",
                { $0.firstDelayMilliseconds = 9 }
            ),
            (
                "249 milliseconds before a later restart; it takes 250 to 600000",
                { $0.longestDelayMilliseconds = 249 }
            ),
            ("0 restarts in a row; it takes 1 to 1000", { $0.limit = 0 }),
            (
                "-1 milliseconds of good running; it takes 0 to 3600000",
                { $0.healthyMilliseconds = -1 }
            ),
        ]
        for (text, change) in faults {
            var policy = RestartPolicy()
            change(&policy)
            let error = #expect(throws: RestartPolicyError.self) { try policy.check() }
            #expect(error?.description == "the restart policy has \(text)")
        }
    }
}
