import FoundationEssentials
import NIOCore
import Testing

@testable import RTMP

@Suite struct ChunkStreamTests {
    static func message(
        _ length: Int, csid: UInt32 = 4, time: UInt32 = 0, type: MessageType = .video
    ) -> Message {
        let payload = ByteBuffer(bytes: (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        return Message(
            chunkStreamID: csid, timestamp: time, type: type, messageStreamID: 1, payload: payload)
    }

    static func readAll(_ bytes: ByteBuffer, piece: Int) throws -> [Message] {
        var reader = ChunkReader()
        var rest = bytes
        var messages: [Message] = []
        while rest.readableBytes > 0 {
            reader.append(rest.readSlice(length: min(piece, rest.readableBytes))!)
            while let message = try reader.next() { messages.append(message) }
        }
        return messages
    }

    /// A message that waits, because its reader is asked for no more, does not keep the large buffer
    /// of its read.
    @Test func aWaitingMessageLeavesItsBuffer() throws {
        var reader = ChunkReader()
        var bytes = ByteBufferAllocator().buffer(capacity: 64 << 10)
        let messages = [Self.message(100), Self.message(80, time: 5)]
        for message in messages { try ChunkWriter().write(message, into: &bytes) }
        reader.append(bytes)
        let first = try reader.next()?.payload.readableBytes
        #expect(first == 100)
        reader.compact()
        let isFree = bytes.modifyIfUniquelyOwned { _ in true } ?? false
        #expect(isFree)
        let second = try reader.next()
        #expect(second == messages[1])
    }

    @Test(arguments: [1, 127, 128, 129, 4096, 65536, 0x7FFF_FFFF])
    func roundTripAtAnyChunkSize(chunkSize: Int) throws {
        var bytes = ByteBuffer()
        ChunkWriter().write(.setChunkSize(UInt32(chunkSize)), into: &bytes)
        let writer = ChunkWriter(chunkSize: chunkSize)
        let messages = [
            Self.message(0), Self.message(1), Self.message(128, csid: 63),
            Self.message(300, csid: 64),
            Self.message(5000, csid: 319, time: 0xFF_FFFE),
            Self.message(5000, csid: 320, time: 0xFF_FFFF),
            Self.message(700, csid: 65599, time: .max),
        ]
        for message in messages {
            let start = bytes.writerIndex
            try writer.write(message, into: &bytes)
            #expect(bytes.writerIndex - start == writer.encodedLength(message))
            let payload = start + ChunkWriter.headerLength(message)
            let first = min(chunkSize, message.payload.readableBytes)
            #expect(
                bytes.getSlice(at: payload, length: first)
                    == message.payload.getSlice(at: 0, length: first))
        }
        #expect(Array(try Self.readAll(bytes, piece: bytes.readableBytes).dropFirst()) == messages)
    }

    @Test func everySplitGivesTheSameMessages() throws {
        var bytes = ByteBuffer()
        let writer = ChunkWriter()
        for (i, length) in [10, 300, 0, 129].enumerated() {
            try writer.write(
                Self.message(length, csid: UInt32(3 + i * 40), time: i == 1 ? 0x100_0000 : 5),
                into: &bytes)
        }
        let whole = try Self.readAll(bytes, piece: bytes.readableBytes)
        #expect(whole.count == 4)
        for split in 1..<bytes.readableBytes {
            var reader = ChunkReader()
            var rest = bytes
            var messages: [Message] = []
            reader.append(rest.readSlice(length: split)!)
            while let message = try reader.next() { messages.append(message) }
            reader.append(rest)
            while let message = try reader.next() { messages.append(message) }
            #expect(messages == whole, "split at \(split)")
        }
        #expect(try Self.readAll(bytes, piece: 1) == whole)
    }

    /// Table of {name, bytes, messages}: compressed headers as other senders write them.
    static let table: [(String, [UInt8], [(UInt32, Int)])] = [
        (
            "type 1 after type 0: delta",
            [0x04, 0, 0, 10, 0, 0, 1, 9, 1, 0, 0, 0, 0xAA] + [0x44, 0, 0, 40, 0, 0, 1, 9, 0xBB],
            [(10, 1), (50, 1)]
        ),
        (
            "type 2 and 3: the delta goes on",
            [0x04, 0, 0, 10, 0, 0, 1, 9, 1, 0, 0, 0, 0xAA] + [0x84, 0, 0, 40, 0xBB] + [0xC4, 0xCC],
            [(10, 1), (50, 1), (90, 1)]
        ),
        (
            "type 3 after type 0: the timestamp is the delta",
            [0x04, 0, 0, 40, 0, 0, 1, 9, 1, 0, 0, 0, 0xAA] + [0xC4, 0xBB], [(40, 1), (80, 1)]
        ),
    ]

    @Test(arguments: table.indices)
    func compressedHeaders(row: Int) throws {
        let (name, bytes, expected) = Self.table[row]
        let messages = try Self.readAll(ByteBuffer(bytes: bytes), piece: 3)
        #expect(messages.map(\.timestamp) == expected.map(\.0), "\(name)")
        #expect(messages.map(\.payload.readableBytes) == expected.map(\.1), "\(name)")
    }

    /// The senders of Adobe and FFmpeg repeat the extended timestamp in type 3 chunks; rtmpdump
    /// does not.
    @Test(arguments: [true, false])
    func extendedTimestampInTypeThree(repeated: Bool) throws {
        let time: [UInt8] = [0x01, 0x00, 0x00, 0x05]
        var bytes: [UInt8] = [0x04, 0xFF, 0xFF, 0xFF, 0, 1, 44, 9, 1, 0, 0, 0] + time
        let payload = (0..<300).map { UInt8(truncatingIfNeeded: $0 + 100) }
        bytes += payload[..<128]
        bytes += [0xC4] + (repeated ? time : []) + payload[128..<256]
        bytes += [0xC4] + (repeated ? time : []) + payload[256...]
        let messages = try Self.readAll(ByteBuffer(bytes: bytes), piece: 7)
        #expect(messages.count == 1)
        #expect(messages.first?.timestamp == 0x0100_0005)
        #expect(messages.first.map { Array($0.payload.readableBytesView) } == payload)
    }

    @Test func deltasWrapAt32Bits() throws {
        var bytes = ByteBuffer()
        try ChunkWriter().write(Self.message(1, time: .max - 9), into: &bytes)
        bytes.writeBytes([0x44, 0, 0, 20, 0, 0, 1, 9, 0xBB])
        #expect(try Self.readAll(bytes, piece: 5).map(\.timestamp) == [.max - 9, 10])
    }

    @Test func interleavedChunkStreamsAndAbort() throws {
        // Chunk stream 6 carries 200 bytes of video, interrupted by audio on 4; then a message is
        // aborted.
        var bytes: [UInt8] =
            [0x06, 0, 0, 0, 0, 0, 200, 9, 1, 0, 0, 0] + [UInt8](repeating: 1, count: 128)
        bytes += [0x04, 0, 0, 7, 0, 0, 2, 8, 1, 0, 0, 0, 0xAF, 0x01]
        bytes += [0xC6] + [UInt8](repeating: 2, count: 72)
        bytes += [0x06, 0, 0, 0, 0, 0, 200, 9, 1, 0, 0, 0] + [UInt8](repeating: 3, count: 128)
        bytes += [0x02, 0, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0, 0, 0, 0, 6]
        bytes += [0x06, 0, 0, 9, 0, 0, 1, 9, 1, 0, 0, 0, 0x44]
        let messages = try Self.readAll(ByteBuffer(bytes: bytes), piece: 11)
        #expect(messages.map(\.type) == [.audio, .video, .abort, .video])
        #expect(messages[1].payload.readableBytes == 200)
        #expect(messages[3].payload.readableBytes == 1)
    }

    @Test func attacksAreBounded() throws {
        // Thousands of chunk streams each begin a message of 16 MiB.
        var reader = ChunkReader()
        #expect(throws: RTMPError.self) {
            for i in 0..<5000 {
                let id = i + 320
                let basic = [UInt8(1), UInt8((id - 64) & 0xFF), UInt8((id - 64) >> 8)]
                reader.append(
                    ByteBuffer(bytes: basic + [0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 1, 0, 0, 0]))
                reader.append(ByteBuffer(repeating: 0, count: 128))
                while try reader.next() != nil {}
            }
        }
        // Few chunk streams carry much data: the unfinished messages are bounded together.
        var second = ChunkReader()
        #expect(throws: RTMPError.self) {
            second.append(ByteBuffer(bytes: [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0x10, 0, 0]))
            for id in UInt8(3)..<60 {
                second.append(ByteBuffer(bytes: [id, 0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 1, 0, 0, 0]))
                second.append(ByteBuffer(repeating: 0, count: 1 << 20))
                while try second.next() != nil {}
            }
        }
        var third = ChunkReader()
        third.append(ByteBuffer(bytes: [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0x80, 0, 0, 0]))
        #expect(throws: RTMPError.self) { try third.next() }
    }

    @Test func counterAgreesWithReader() throws {
        var bytes = ByteBuffer()
        let writer = ChunkWriter()
        for i in 0..<50 {
            try writer.write(Self.message(i * 37, csid: 6, time: UInt32(i)), into: &bytes)
            try writer.write(
                Self.message(200, csid: 4, time: UInt32(i), type: .audio), into: &bytes)
        }
        writer.write(.pingRequest(7), into: &bytes)
        let all = Array(bytes.readableBytesView)
        for piece in [1, 13, 128, 5000, all.count] {
            var counter = ChunkCounter()
            var others: [Message] = []
            var carry: [UInt8] = []
            for start in stride(from: 0, to: all.count, by: piece) {
                let input = carry + all[start..<min(start + piece, all.count)]
                let used = try input.withUnsafeBytes {
                    try counter.consume($0) { others.append($0) }
                }
                carry = Array(input[used...])
                #expect(carry.count < 18)
            }
            #expect(counter.videoBytes == (0..<50).reduce(0) { $0 + $1 * 37 })
            #expect(counter.audioBytes == 10_000)
            #expect(counter.videoMessages == 50)
            #expect(others.map(\.type) == [.userControl])
        }
    }

    @Test func aggregateIsRebased() throws {
        var payload = ByteBuffer()
        for (type, time) in [(UInt8(8), UInt32(1000)), (9, 1020), (8, 0x100_0400)] {
            payload.writeBytes([type, 0, 0, 2])
            payload.writeBytes([
                UInt8(time >> 16 & 0xFF), UInt8(time >> 8 & 0xFF), UInt8(time & 0xFF),
                UInt8(time >> 24),
            ])
            payload.writeBytes([0, 0, 0, 0xAF, 0x01, 0, 0, 0, 13])
        }
        let message = Message(
            chunkStreamID: 4, timestamp: 5000, type: .aggregate, messageStreamID: 1,
            payload: payload)
        let parts = try message.split()
        #expect(parts.map(\.timestamp) == [5000, 5020, 0x100_0400 - 1000 + 5000])
        #expect(parts.map(\.type) == [.audio, .video, .audio])
        var cut = message
        cut.payload = payload.getSlice(at: 0, length: payload.readableBytes - 6)!
        #expect(throws: RTMPError.self) { try cut.split() }
    }

    /// Many chunk streams each carry one byte of a message: the reader keeps only what has arrived.
    @Test func beginningsOfMessagesAreCheap() throws {
        func residentBytes() throws -> Int {
            let text = try String(contentsOfFile: "/proc/self/statm", encoding: .ascii)
            return try #require(Int(text.split(separator: " ")[1])) * 4096
        }
        var bytes = ByteBuffer()
        for stream in 4..<64 as Range<UInt8> {
            bytes.writeBytes([stream, 0, 0, 0, 0, 0xFF, 0xFF, 9, 1, 0, 0, 0])
            bytes.writeRepeatingByte(7, count: 128)
        }
        let before = try residentBytes()
        var readers: [ChunkReader] = []
        for _ in 0..<500 {
            var reader = ChunkReader()
            reader.append(bytes)
            #expect(try reader.next() == nil)
            readers.append(reader)
        }
        let held = readers.reduce(0) { $0 + $1.unfinishedBytes }
        #expect(held == 500 * 60 * 128)
        let grown = try residentBytes() - before
        #expect(grown < 6 * held + (16 << 20), "\(grown) bytes for \(held)")
    }
}
