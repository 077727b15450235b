import NIOCore
import RTMP
import Sockets

/// What players get, and how peers become players and publishers.
extension FloorLoop {
    /// Sends every batch that is due. Returns the time at which the next one is due.
    func sendDue() -> Int64 {
        let now = Clock.monotonicNanoseconds()
        var next = Int64.max
        for stream in feeds.indices {
            for _ in 0..<Self.batchesPerTurn {
                guard let due = feeds[stream].dueNanoseconds, due <= now else { break }
                status.worstLatenessNanoseconds = max(status.worstLatenessNanoseconds, now - due)
                deliver(feeds[stream].take(), to: stream)
            }
            if status.fault == nil, let fault = feeds[stream].fault { status.fault = fault }
            next = min(next, feeds[stream].dueNanoseconds ?? .max)
        }
        return next
    }

    private func deliver(_ batch: FloorBatch, to stream: Int) {
        guard batch.bytes.readableBytes > 0 else { return }
        var broken: [FloorConnection] = []
        batch.bytes.withUnsafeReadableBytes { bytes in
            for place in players[stream].indices {
                guard !offer(batch, bytes, stream, place),
                    let connection = connection(of: players[stream][place])
                else { continue }
                broken.append(connection)
            }
        }
        // Connections leave the table of players only after the walk through it.
        for connection in broken { end(connection) }
    }

    /// Sends a batch to one player, or queues or drops it. Returns false if the connection is
    /// broken.
    private func offer(
        _ batch: FloorBatch, _ bytes: UnsafeRawBufferPointer, _ stream: Int, _ place: Int
    ) -> Bool {
        let player = players[stream][place]
        var offset = 0
        if player.awaitsBeginning {
            guard let beginning = batch.beginning else {
                if player.hasBegun { drop(batch.frames) }
                return true
            }
            offset = beginning
        }
        guard !player.isBehind else {
            queue(batch, from: offset, stream, place)
            return true
        }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        status.sends += 1
        guard let sent = transmit(rest, to: player.descriptor) else { return false }
        status.sentBytes += sent
        if player.awaitsBeginning { begin(batch, stream, place) }
        guard sent < rest.count, let connection = connection(of: player) else { return true }
        // The rest of a batch is sent whatever its size is, because a message that has begun must
        // end.
        if let part = part(of: batch, from: offset + sent) { connection.queue.append(part) }
        players[stream][place].isBehind = true
        awaitRoom(connection)
        return true
    }

    /// Queues a batch for a player that has not taken what came before, or drops it.
    private func queue(_ batch: FloorBatch, from offset: Int, _ stream: Int, _ place: Int) {
        let player = players[stream][place]
        guard let connection = connection(of: player), let part = part(of: batch, from: offset)
        else { return }
        let limit = configuration.queueByteLimit
        guard connection.queue.hasRoom(for: part.readableBytes, limit: limit) else {
            if player.hasBegun { drop(batch.frames) }
            // Frames refer to the dropped ones up to the next key frame.
            players[stream][place].awaitsBeginning = true
            return
        }
        connection.queue.append(part)
        if player.awaitsBeginning { begin(batch, stream, place) }
    }

    /// Notes that a player gets a batch from its beginning on.
    private func begin(_ batch: FloorBatch, _ stream: Int, _ place: Int) {
        if players[stream][place].hasBegun, batch.beginning ?? 0 > 0 {
            drop(batch.frames - batch.framesFromBeginning)
        }
        players[stream][place].awaitsBeginning = false
        players[stream][place].hasBegun = true
    }

    private func drop(_ frames: Int) {
        status.framesDropped += frames
        status.flushesDropped += 1
    }

    private func part(of batch: FloorBatch, from offset: Int) -> ByteBuffer? {
        batch.bytes.getSlice(
            at: batch.bytes.readerIndex + offset, length: batch.bytes.readableBytes - offset)
    }

    // MARK: Sessions

    /// Processes bytes of a peer that neither publishes nor plays yet.
    func negotiate(_ connection: FloorConnection, _ bytes: ByteBuffer) throws {
        switch connection.phase {
        case .handshake(var handshake):
            switch try handshake.receive(bytes, using: &random) {
            case .pending(let reply):
                connection.phase = .handshake(handshake)
                write(reply, to: connection)
            case .done(let reply, let rest):
                connection.phase = .session
                write(reply, to: connection)
                try takeCommands(rest, connection)
            }
        case .session: try takeCommands(bytes, connection)
        case .publishing, .playing: break
        }
    }

    private func takeCommands(_ bytes: ByteBuffer, _ connection: FloorConnection) throws {
        if let acknowledgement = connection.session.received(bytes: bytes.readableBytes) {
            write(acknowledgement, to: connection)
        }
        connection.reader.append(bytes)
        while connection.isNegotiating, let message = try connection.reader.next() {
            // Media of a peer that may not publish yet is nothing that the floor sender wants.
            guard !message.type.isMedia else { continue }
            for action in try connection.session.receive(message) where connection.isOpen {
                try perform(action, connection)
            }
        }
        // From now on the peer's bytes are only dropped.
        if !connection.isNegotiating { connection.reader = ChunkReader() }
    }

    private func perform(
        _ action: ServerSessionStateMachine.Action, _ connection: FloorConnection
    ) throws {
        switch action {
        case .write(let bytes): write(bytes, to: connection)
        case .publishRequested(let request):
            guard connection.isNegotiating else { return }
            write(try connection.session.acceptPublish(request), to: connection)
            guard connection.isOpen else { return }
            connection.phase = .publishing
            status.publishers += 1
        case .playRequested(let request):
            guard connection.isNegotiating else { return }
            try play(request, connection)
        case .pause, .streamEnded, .peerIsAlive: break
        case .close(let reason): refuse(connection, reason)
        }
    }

    private func play(
        _ request: ServerSessionStateMachine.StreamRequest, _ connection: FloorConnection
    ) throws {
        let stream = streamIndices[request.streamKey] ?? 0
        guard feeds.indices.contains(stream),
            request.messageStreamID == FloorFeed.messageStreamID
        else {
            let reason =
                feeds.isEmpty
                ? "the floor sender has no streams"
                : "the floor sender plays on message stream \(FloorFeed.messageStreamID) only"
            let refusal = try connection.session.reject(
                request, code: "NetStream.Play.Failed", reason)
            write(refusal, to: connection)
            return refuse(connection, reason)
        }
        write(try connection.session.acceptPlay(request), to: connection)
        write(feeds[stream].headers, to: connection)
        guard connection.isOpen else { return }
        connection.phase = .playing(stream: stream, place: players[stream].count)
        players[stream].append(
            FloorPlayer(
                descriptor: connection.descriptor, slot: connection.slot,
                isBehind: !connection.queue.isEmpty))
        status.players += 1
    }
}
