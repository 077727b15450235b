/// Finds FLV bodies in the server's direction of an HTTP/1.1 connection (RFC 9112).
struct HTTPResponseDissector {
    private enum State {
        case header
        case skip(Int)
        case body
        case chunkSize
        case chunk(left: Int)
        case chunkEnd
    }

    private var state = State.header
    private var line: [UInt8] = []
    private var isChunked = false
    private var flv = FLVDissector()
    var wantsStamps: Bool {
        get { flv.wantsStamps }
        set { flv.wantsStamps = newValue }
    }

    var retainedBytes: Int { line.count + flv.retainedBytes }

    /// Takes the next bytes in order. False where the body is no FLV or the framing is broken.
    mutating func receive(
        _ bytes: UnsafeRawBufferPointer, time: Int64, emit: (MediaMessage) -> Void
    ) -> Bool {
        var offset = 0
        while offset < bytes.count {
            switch state {
            case .header:
                line.append(bytes[offset])
                offset += 1
                guard line.count <= HTTPRequestDissector.headerLimit else { return false }
                if line.last == 0x0A, line.suffix(4) == [0x0D, 0x0A, 0x0D, 0x0A] {
                    guard beginBody() else { return false }
                }
            case .skip(let left):
                let used = min(left, bytes.count - offset)
                offset += used
                state = used == left ? .header : .skip(left - used)
            case .body:
                return flv.receive(bytes.from(offset), time: time, emit: emit)
            case .chunkSize, .chunkEnd:
                line.append(bytes[offset])
                offset += 1
                guard line.count <= 256 else { return false }
                if line.last == 0x0A, !finishLine() { return false }
            case .chunk(let left):
                let part = bytes.from(offset).upTo(left)
                offset += part.count
                guard flv.receive(part, time: time, emit: emit) else { return false }
                state = part.count == left ? .chunkEnd : .chunk(left: left - part.count)
            }
        }
        return true
    }

    /// Passes over missing bytes within one FLV tag, and one HTTP chunk; false otherwise.
    mutating func gap(_ length: Int) -> Bool {
        switch state {
        case .skip(let left) where length <= left:
            state = length == left ? .header : .skip(left - length)
            return true
        case .body: return flv.gap(length)
        case .chunk(let left) where length < left:
            state = .chunk(left: left - length)
            return flv.gap(length)
        default: return false
        }
    }

    private mutating func beginBody() -> Bool {
        let lines = String(decoding: line, as: UTF8.self).split(separator: "\r\n")
        line.removeAll(keepingCapacity: true)
        guard let status = lines.first?.split(separator: " "), status.count >= 2,
            status[0].hasPrefix("HTTP/1"), let code = Int(status[1])
        else { return false }
        var fields: [String: String] = [:]
        for field in lines.dropFirst() {
            let parts = field.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            let value = parts[1].drop { $0 == " " || $0 == "\t" }
            fields[parts[0].lowercased()] = value.lowercased()
        }
        isChunked = fields["transfer-encoding"]?.hasSuffix("chunked") ?? false
        if code / 100 == 1 || code == 204 || code == 304 {
            state = .header
        } else if code == 200 {
            let wantsStamps = flv.wantsStamps
            flv = FLVDissector()
            flv.wantsStamps = wantsStamps
            state = isChunked ? .chunkSize : .body
        } else {
            guard !isChunked, let length = fields["content-length"].flatMap({ Int($0) }),
                length >= 0
            else { return false }
            state = length == 0 ? .header : .skip(length)
        }
        return true
    }

    private mutating func finishLine() -> Bool {
        let digits = line.prefix { $0 != 0x0D && $0 != 0x0A && $0 != 0x3B && $0 != 0x20 }
        line.removeAll(keepingCapacity: true)
        if case .chunkEnd = state {
            state = .chunkSize
            return digits.isEmpty
        }
        guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0,
            size <= 1 << 40
        else { return false }
        // The last chunk has no bytes; trailers and further responses are not looked at.
        guard size > 0 else { return false }
        state = .chunk(left: size)
        return true
    }
}
