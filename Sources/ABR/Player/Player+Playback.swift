/// Effects of passing time: media is appended, played and missed, and every millisecond is counted
/// once.
extension Player {
    var isWaitingForMedia: Bool {
        phase == .startup || phase == .stalled || phase == .seeking
    }

    mutating func append(_ media: Double) {
        guard media > 0, !received.isNaN else { return }
        if received == 0 { buffered.append(state.lastRendition) }
        received += media
        state.bufferLevel += media
        if isWaitingForMedia, state.bufferLevel >= settings.startBuffer - Self.tolerance {
            phase = .playing
        }
        setRate()
    }

    private mutating func setRate() {
        guard let live = settings.configuration.live else { return }
        state.playbackRate = live.catchUp.rate(
            latency: state.liveLatency, target: live.targetLatency, buffer: state.bufferLevel)
    }

    /// Plays up to `time`.
    mutating func advance(to time: Double) {
        let elapsed = time - clock
        assert(elapsed >= -Self.tolerance, "time went back by \(-elapsed) ms")
        guard elapsed > 0 else { return }
        clock = time
        switch phase {
        case .startup: account.startup += elapsed
        case .stalled:
            account.stalled += elapsed
            state.recentStall += elapsed
        case .idle, .seeking, .ended: account.idle += elapsed
        case .playing: play(elapsed)
        }
        if state.isLive {
            state.liveLatency = time - epoch - playhead
            setRate()
        }
    }

    private mutating func play(_ elapsed: Double) {
        let rate = state.playbackRate
        let media = elapsed * rate
        let lacking = elapsed - state.bufferLevel / rate
        guard lacking > Self.tolerance else {
            consume(min(media, state.bufferLevel), in: elapsed)
            return
        }
        let time = elapsed - lacking
        consume(state.bufferLevel, in: time)
        state.bufferLevel = 0
        if isFinished {
            phase = .ended
            account.idle += lacking
        } else {
            phase = .stalled
            account.stalls += 1
            account.stalled += lacking
            state.recentStall += lacking
        }
    }

    /// Passes over segments at the head of the buffer that have no media, or no further media.
    mutating func passGaps() {
        while buffered.hasGaps, buffered.first != nil {
            let lacking = buffered.lackingOfFirst
            guard lacking > 0, playedOfFirst >= title.segmentDuration - lacking - Self.tolerance
            else { return }
            account.missing += lacking
            playhead += lacking
            buffered.removeFirst()
            playedOfFirst = 0
        }
    }

    private mutating func consume(_ media: Double, in time: Double) {
        let before = state.liveLatency
        var left = media
        let duration = title.segmentDuration
        if buffered.hasGaps { passGaps() }
        while left > 0, let rendition = buffered.first {
            if playedOfFirst == 0 {
                account.began(
                    rendition, of: title, latency: before, rate: state.playbackRate,
                    isLive: state.isLive)
            }
            let lacking = buffered.lackingOfFirst
            let rest = duration - lacking - playedOfFirst
            if left < rest - Self.tolerance {
                playedOfFirst += left
                left = 0
            } else if lacking > 0 {
                playedOfFirst += rest
                left -= rest
                passGaps()
            } else {
                buffered.removeFirst()
                playedOfFirst = 0
                left -= rest
            }
            if buffered.hasGaps { passGaps() }
        }
        state.bufferLevel = max(0, state.bufferLevel - media)
        playhead += media
        account.played(
            time, latencyBefore: before, latencyAfter: before + time - media,
            rate: state.playbackRate)
    }
}
