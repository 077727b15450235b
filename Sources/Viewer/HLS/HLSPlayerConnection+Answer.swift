import HTTPWire

/// Processing of a response's bytes.
extension HLSPlayerConnection {
    /// Number of body bytes that were processed, and whether the response is complete.
    struct Progress {
        var media = 0
        var isWhole = false
    }

    /// Processes bytes as they came from the socket (or from TLS).
    ///
    /// Bytes after the end of the response belong to no request: they are discarded, and the
    /// connection carries no further request (RFC 9112, 6.3).
    /// - Parameter probe: receives the parts of the body that belong to the request.
    /// - Throws: an error if the response cannot be read.
    func take(
        _ bytes: UnsafeRawBufferPointer, probe: (UnsafeRawBufferPointer) -> Void
    ) throws -> Progress {
        var progress = Progress()
        do {
            try receive(bytes, &progress, probe)
        } catch {
            guard progress.isWhole else { throw error }
            head?.keepsAlive = false
        }
        if progress.isWhole, !reader.isBetweenResponses { head?.keepsAlive = false }
        return progress
    }

    private func receive(
        _ bytes: UnsafeRawBufferPointer, _ progress: inout Progress,
        _ probe: (UnsafeRawBufferPointer) -> Void
    ) throws {
        // The reader is used in place: what its events lead to does not touch it.
        try reader.receive(bytes) { event in
            guard !progress.isWhole else {
                head?.keepsAlive = false
                return
            }
            switch event {
            case .head(let head): try begin(head)
            case .body(let range):
                progress.media += range.count
                try body(UnsafeRawBufferPointer(rebasing: bytes[range]), probe)
            case .end:
                if let decoder, !decoder.isComplete, received + progress.media > 0 {
                    throw HTTPResponseReader.Fault(reason: "the compressed body ends early")
                }
                progress.isWhole = true
            }
        }
    }

    /// Notes that the server has closed the connection.
    /// - Returns: whether the closing ends the response.
    /// - Throws: an error if the response's coding promised more bytes.
    func closedByPeer() throws(HTTPResponseReader.Fault) -> Bool {
        guard reader.closed() else { return false }
        if let decoder, !decoder.isComplete {
            throw HTTPResponseReader.Fault(reason: "the compressed body ends early")
        }
        return true
    }

    private func begin(_ head: HTTPResponseHead) throws {
        self.head = head
        decoder = nil
        skipped = 0
        guard head.isSuccess else { return }
        if let range = request?.range {
            if head.status == 206 {
                // Fewer bytes at the end of the resource are allowed; another range is not what was
                // requested.
                if let told = head.contentRange, told.bytes.lowerBound != range.lowerBound {
                    throw HTTPResponseReader.Fault(
                        reason:
                            "the server answers with bytes \(told.bytes.lowerBound)-\(told.bytes.upperBound - 1) instead of \(range.lowerBound)-\(range.upperBound - 1)"
                    )
                }
            } else {
                // RFC 9110, 14.2: a server may ignore Range. The whole resource contains the wanted
                // part.
                ignoresRange = true
            }
        }
        let coding = head.contentCoding
        if !coding.isEmpty, keepsContent {
            decoder = try ContentDecoder(coding: coding, outputLimit: Self.decodedLimit)
        }
    }

    private var keepsContent: Bool { isProbed || purpose?.keepsBody ?? false }

    private func body(
        _ bytes: UnsafeRawBufferPointer, _ probe: (UnsafeRawBufferPointer) -> Void
    ) throws {
        guard keepsContent else { return }
        if let decoder {
            try decoder.decode(bytes) { try content($0, probe) }
        } else {
            try content(bytes, probe)
        }
    }

    private func content(
        _ bytes: UnsafeRawBufferPointer, _ probe: (UnsafeRawBufferPointer) -> Void
    ) throws {
        var bytes = bytes
        if ignoresRange, let range = request?.range {
            let start = skipped
            skipped += bytes.count
            let from = min(max(range.lowerBound - start, 0), bytes.count)
            let to = min(max(range.upperBound - start, from), bytes.count)
            bytes = UnsafeRawBufferPointer(rebasing: bytes[from..<to])
        }
        if isProbed, head?.isSuccess ?? false, !bytes.isEmpty { probe(bytes) }
        guard purpose?.keepsBody ?? false else { return }
        guard kept.count + bytes.count <= Self.bodyLimit else {
            throw HTTPResponseReader.Fault(
                reason: "the playlist is longer than \(Self.bodyLimit >> 20) MiB")
        }
        kept.append(contentsOf: bytes)
    }
}
