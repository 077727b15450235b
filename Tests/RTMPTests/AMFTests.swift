import NIOCore
import Testing

@testable import RTMP

@Suite struct AMFTests {
    static let amf0: [(String, [UInt8], AMFValue)] = [
        ("number", [0, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0], .number(1)),
        ("true", [1, 1], .boolean(true)),
        ("string", [2, 0, 3, 0x66, 0x6F, 0x6F], .string("foo")),
        ("null", [5], .null),
        ("undefined", [6], .undefined),
        ("object", [3, 0, 1, 0x61, 5, 0, 0, 9], .object([.init("a", .null)])),
        (
            "typed object", [16, 0, 1, 0x43, 0, 1, 0x61, 6, 0, 0, 9],
            .object([.init("a", .undefined)], className: "C")
        ),
        (
            "ECMA array", [8, 0, 0, 0, 1, 0, 1, 0x61, 1, 0, 0, 0, 9],
            .ecmaArray([.init("a", .boolean(false))])
        ),
        ("strict array", [10, 0, 0, 0, 2, 5, 6], .strictArray([.null, .undefined])),
        ("date", [11, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0, 0, 0], .date(1)),
        ("XML", [15, 0, 0, 0, 1, 0x78], .xml("x")),
    ]

    @Test(arguments: amf0.indices)
    func amf0Table(row: Int) throws {
        let (name, bytes, value) = Self.amf0[row]
        var buffer = ByteBuffer(bytes: bytes)
        #expect(try AMF0.read(&buffer) == value, "\(name)")
        #expect(buffer.readableBytes == 0)
        var written = ByteBuffer()
        AMF0.write(value, into: &written)
        #expect(Array(written.readableBytesView) == bytes, "\(name)")
        for length in 0..<bytes.count {
            var cut = ByteBuffer(bytes: bytes[..<length])
            #expect(throws: RTMPError.self, "\(name) cut at \(length)") { try AMF0.read(&cut) }
        }
    }

    /// Vectors written from the specification's layout; the vectors for reading also have
    /// references.
    static let amf3: [(String, [UInt8], AMFValue)] = [
        ("integer", [4, 0x7F], .number(127)),
        ("two-byte integer", [4, 0x81, 0x00], .number(128)),
        ("negative integer", [4, 0xFF, 0xFF, 0xFF, 0xFF], .number(-1)),
        ("double", [5, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0], .number(1.5)),
        ("string", [6, 7, 0x66, 0x6F, 0x6F], .string("foo")),
        ("false", [2], .boolean(false)),
        ("byte array", [12, 5, 1, 2], .byteArray([1, 2])),
        ("dense array", [9, 5, 1, 4, 1, 4, 2], .strictArray([.number(1), .number(2)])),
        ("dynamic object", [10, 0x0B, 1, 3, 0x61, 4, 1, 1], .object([.init("a", .number(1))])),
        (
            "sealed object, then by string and traits reference",
            [9, 5, 1, 10, 0x13, 3, 0x43, 3, 0x61, 4, 1, 10, 0x01, 6, 2],
            .strictArray([
                .object([.init("a", .number(1))], className: "C"),
                .object([.init("a", .string("a"))], className: "C"),
            ])
        ),
        ("vector of int", [13, 3, 0, 0xFF, 0xFF, 0xFF, 0xFE], .strictArray([.number(-2)])),
        ("dictionary", [17, 3, 0, 6, 3, 0x61, 3], .ecmaArray([.init("a", .boolean(true))])),
    ]

    @Test(arguments: amf3.indices)
    func amf3Table(row: Int) throws {
        let (name, bytes, value) = Self.amf3[row]
        var buffer = ByteBuffer(bytes: bytes)
        #expect(try AMF3.read(&buffer) == value, "\(name)")
        #expect(buffer.readableBytes == 0, "\(name)")
        var written = ByteBuffer()
        AMF3.write(value, into: &written)
        #expect(try AMF3.read(&written) == value, "\(name)")
        for length in 0..<bytes.count {
            var cut = ByteBuffer(bytes: bytes[..<length])
            #expect(throws: RTMPError.self, "\(name) cut at \(length)") { try AMF3.read(&cut) }
        }
    }

    @Test(arguments: [
        [UInt8](arrayLiteral: 12, 0xFF, 0xFF, 0xFF, 0xFF, 1), [10, 0xFF, 0xFF, 0xFF, 0xFF, 5],
        [17, 9, 0xFF, 0xFF, 0xFF, 0xFF], [17, 12, 0xFF, 0xFF, 0xFF, 0xFF, 1], [7, 0, 0], [7, 0, 5],
    ])
    func claimsOfFourGibibytesAreRefused(bytes: [UInt8]) {
        var buffer = ByteBuffer(bytes: bytes)
        #expect(throws: RTMPError.self) { try AMF0.read(&buffer) }
    }

    @Test func nestingIsBounded() {
        var bytes: [UInt8] = []
        for _ in 0..<10_000 { bytes += [3, 0, 1, 0x61] }
        var buffer = ByteBuffer(bytes: bytes)
        #expect(throws: RTMPError.self) { try AMF0.read(&buffer) }
        buffer = ByteBuffer(bytes: [UInt8](repeating: 5, count: 100_000))
        #expect(throws: RTMPError.self) { try AMF0.readAll(&buffer) }
    }

    @Test func aCommandOfTypeSeventeenIsAMF0AfterAZero() throws {
        let command = Command(
            "connect", transactionID: 1, [.object([.init("app", .string("live"))])])
        var message = command.message()
        #expect(try Command(message) == command)
        var payload = ByteBuffer(bytes: [0])
        payload.writeImmutableBuffer(message.payload)
        message.type = .commandAMF3
        message.payload = payload
        #expect(try Command(message) == command)
    }

    /// References to references: a few hundred bytes that would expand to 16^20 values.
    @Test func referenceBombs() {
        var amf3 = ByteBuffer(bytes: [0x09, 41, 0x01])
        for level in 0..<20 {
            amf3.writeBytes([0x09, 33, 0x01])
            for _ in 0..<16 {
                amf3.writeBytes(level == 0 ? [0x04, 0x01] : [0x09, UInt8(level * 2)])
            }
        }
        var input = amf3
        #expect(throws: RTMPError.self) { try AMF3.read(&input) }

        var amf0 = ByteBuffer(bytes: [0x0A, 0, 0, 0, 20])
        for level in 0..<20 {
            amf0.writeBytes([0x0A, 0, 0, 0, 16])
            for _ in 0..<16 { amf0.writeBytes(level == 0 ? [0x05] : [0x07, 0, UInt8(level)]) }
        }
        input = amf0
        #expect(throws: RTMPError.self) { try AMF0.readAll(&input) }
    }

    /// Dictionaries as the keys of dictionaries. A fuzzer found that the names grew without bound.
    @Test func dictionariesAsKeys() throws {
        var bytes = ByteBuffer()
        for _ in 0..<25 { bytes.writeBytes([0x11, 0x03, 0x00]) }
        bytes.writeBytes([0x06, 0x03, 0x22])
        bytes.writeBytes([UInt8](repeating: 0x01, count: 25))
        // Such keys are legal, but our properties have only names, so nothing of the dictionary
        // remains.
        #expect(try AMF3.read(&bytes) == .ecmaArray([]))
        #expect(bytes.readableBytes == 0)
    }

    /// Many values of the other AMF version in one message share one budget, so references cannot
    /// turn a hundred bytes into ten thousand values.
    @Test func valuesOfBothVersionsHaveOneBudget() {
        var one = ByteBuffer(bytes: [0x11, 0x09, 0x81, 0x01, 0x01, 0x09, 0x65, 0x01])
        one.writeRepeatingByte(0x01, count: 50)
        for _ in 0..<63 { one.writeBytes([0x09, 0x02]) }
        var alone = one
        #expect(throws: RTMPError.self) { try AMF0.readAll(&alone) }
        var all = ByteBuffer()
        for _ in 0..<300 { all.writeImmutableBuffer(one) }
        var input = all
        #expect(throws: RTMPError.self) { try AMF0.readAll(&input) }
        #expect(input.readableBytes > all.readableBytes / 2)
    }

    /// Encodes one long string and thousands of references to it.
    @Test func repeatedStrings() throws {
        func array(_ length: Int, references: UInt8) -> ByteBuffer {
            var bytes = ByteBuffer(bytes: [0x09, (references + 1) * 2 + 1, 0x01, 0x06])
            bytes.writeBytes([0x80 | UInt8(length >> 13 & 0x7F)])
            bytes.writeBytes([0x80 | UInt8(length >> 6 & 0x7F), UInt8(length << 1 & 0x7F) | 1])
            bytes.writeRepeatingByte(0x61, count: length)
            for _ in 0..<references { bytes.writeBytes([0x06, 0x00]) }
            return bytes
        }
        var few = array(30_000, references: 10)
        guard case .strictArray(let values) = try AMF3.read(&few) else {
            Issue.record("no array")
            return
        }
        #expect(values.count == 11)
        #expect(Set(values) == [.string(String(repeating: "a", count: 30_000))])
        var many = array(30_000, references: 50)
        #expect(throws: RTMPError.self) { try AMF3.read(&many) }
    }
}
