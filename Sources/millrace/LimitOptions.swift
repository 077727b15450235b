import ArgumentParser
import Server

/// Options of `serve` and `edge` for the number of connections that strangers may have. 0 means no
/// limit.
struct ConnectionLimitOptions: ParsableArguments {
    @Option(
        help:
            "Connections of all kinds at once. Each takes 10 to 100 KB, so the default suits a machine with 1 GB; 0 = no limit."
    )
    var maxConnections = ServerLimits().connections
    @Option(
        help:
            "Connections from one address; this machine's own are not counted. Viewers behind one router share an address."
    )
    var maxConnectionsPerAddress = ServerLimits().connectionsPerAddress

    func validate() throws {
        for (value, name) in [
            (maxConnections, "--max-connections"),
            (maxConnectionsPerAddress, "--max-connections-per-address"),
        ] { try check(value, in: 0...10_000_000, name) }
    }

    var limits: ServerLimits {
        var limits = ServerLimits()
        limits.connections = maxConnections
        limits.connectionsPerAddress = maxConnectionsPerAddress
        return limits
    }
}

/// Options of `millrace serve` for what strangers may use. 0 means no limit.
struct LimitOptions: ParsableArguments {
    @OptionGroup var connections: ConnectionLimitOptions
    @Option(help: "Streams published at once.")
    var maxPublishers = ServerLimits().publishers
    @Option(help: "RTMP and HTTP-FLV players at once. HLS viewers count as connections alone.")
    var maxPlayers = ServerLimits().players
    @Option(
        help:
            "Streams that HLS keeps, those included that ended a minute ago; beyond it those go first."
    )
    var maxStreams = ServerLimits().streams
    @Option(
        help:
            "MiB of messages that have begun and not ended, over all connections. Beyond it peers that hold more than 256 KiB are cut."
    )
    var maxUnfinished = ServerLimits().unfinishedBytes >> 20
    @Option(
        help:
            "MiB of the caches for joining players; streams share it equally, at most 16 MiB each.")
    var maxGOPCache = ServerLimits().gopCacheBytes >> 20
    @Option(
        help:
            "MiB of HLS segments in memory; streams share it equally. A stream of 5 Mbit/s with a window of 60 s needs about 80."
    )
    var maxHLS = ServerLimits().hlsBytes >> 20

    func validate() throws {
        for (value, name) in [
            (maxPublishers, "--max-publishers"), (maxPlayers, "--max-players"),
            (maxStreams, "--max-streams"), (maxUnfinished, "--max-unfinished"),
            (maxGOPCache, "--max-gop-cache"), (maxHLS, "--max-hls"),
        ] { try check(value, in: 0...10_000_000, name) }
    }

    var limits: ServerLimits {
        var limits = connections.limits
        limits.publishers = maxPublishers
        limits.players = maxPlayers
        limits.streams = maxStreams
        limits.unfinishedBytes = maxUnfinished << 20
        limits.gopCacheBytes = maxGOPCache << 20
        limits.hlsBytes = maxHLS << 20
        return limits
    }
}
