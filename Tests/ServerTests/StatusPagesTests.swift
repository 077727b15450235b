import NIOCore
import Synchronization
import Testing

@testable import Server

@Suite(.timeLimit(.minutes(1))) struct StatusPagesTests {
    private final class Source: Sendable {
        let count = Mutex(0)

        /// A status whose version is the number of times that the status was asked for.
        func status() -> ServerStatus {
            let number = count.withLock { count in
                count += 1
                return count
            }
            return ServerStatus(version: "\(number)", videoFrames: [:], ladders: [])
        }
    }

    private func page(_ pages: StatusPages, _ source: Source) async throws -> String {
        String(buffer: try await pages.bytes(.json) { source.status() })
    }

    @Test func manyRequestsShareFewPages() async throws {
        let (pages, source) = (StatusPages(), Source())
        try await withThrowingTaskGroup { group in
            for _ in 0..<500 { group.addTask { try await page(pages, source) } }
            for try await text in group { #expect(text.contains("\"version\"")) }
        }
        #expect(source.count.withLock { $0 } < 250)
    }

    /// A request never gets a page that was begun before it came.
    @Test func eachPageIsNewerThanItsRequest() async throws {
        let (pages, source) = (StatusPages(), Source())
        for number in 1...5 {
            #expect(try await page(pages, source).contains("\"version\":\"\(number)\""))
        }
        await #expect(throws: CancellationError.self) {
            try await pages.bytes(.json) { throw CancellationError() }
        }
        // A failure is not kept.
        #expect(try await page(pages, source).contains("\"version\":\"6\""))
    }
}
