import SimulationKernel

extension LinkProfile {
    /// All profiles in the order of the documentation.
    public static let all: [LinkProfile] = fixed + radio

    private static func mbps(_ value: Double) -> Bitrate {
        Bitrate(bitsPerSecond: Int(value * 1_000_000))
    }

    private static func delay(
        _ milliseconds: Double, jitter: Double, _ distribution: DelayModel.Distribution = .normal
    ) -> DelayModel {
        DelayModel(
            nanoseconds: Int64(milliseconds * 1e6), jitterNanoseconds: Int64(jitter * 1e6),
            distribution: distribution, correlation: jitter > 0 ? 0.5 : 0)
    }

    private static let fixed = [
        LinkProfile(
            name: "dsl", summary: "16/1 Mbit/s, 15 ms one way, deep modem queue",
            down: .constant(mbps(16)), up: .constant(mbps(1)), delay: delay(15, jitter: 1),
            loss: .none, queue: .dropTail(.bytes(256_000))),
        LinkProfile(
            name: "cable", summary: "100/10 Mbit/s, 8 ms, PIE as in DOCSIS 3.1 modems",
            down: .constant(mbps(100)), up: .constant(mbps(10)), delay: delay(8, jitter: 2),
            loss: .none, queue: .pie(.init(), limit: .bytes(1_000_000))),
        LinkProfile(
            name: "fibre", summary: "500/250 Mbit/s, 3 ms",
            down: .constant(mbps(500)), up: .constant(mbps(250)), delay: delay(3, jitter: 0.2),
            loss: .none, queue: .dropTail(.bytes(2_000_000))),
        LinkProfile(
            name: "satellite", summary: "25/3 Mbit/s, geostationary: 300 ms, 0.5 % loss",
            down: .constant(mbps(25)), up: .constant(mbps(3)), delay: delay(300, jitter: 10),
            loss: .bernoulli(0.005), queue: .dropTail(.bytes(1_000_000))),
    ]

    private static let radio = [
        LinkProfile(
            name: "3g", summary: "about 1.5/0.4 Mbit/s, 75 ms, slow fading",
            down: .fading(.init(mean: mbps(1.5), sigma: 0.4, correlation: 0.9)),
            up: .fading(.init(mean: mbps(0.4), sigma: 0.3, correlation: 0.9)),
            delay: delay(75, jitter: 15), loss: .bernoulli(0.001),
            queue: .dropTail(.bytes(128_000))),
        LinkProfile(
            name: "hspa", summary: "about 3/1 Mbit/s, 50 ms, deep fading and short outages",
            down: .hspa(mean: mbps(3)), up: .hspa(mean: mbps(1)), delay: delay(50, jitter: 10),
            loss: .bernoulli(0.001), queue: .dropTail(.bytes(256_000))),
        LinkProfile(
            name: "lte", summary: "about 20/8 Mbit/s, 25 ms, fading",
            down: .lte(mean: mbps(20)), up: .lte(mean: mbps(8)), delay: delay(25, jitter: 4),
            loss: .none, queue: .dropTail(.bytes(1_000_000))),
        LinkProfile(
            name: "5g", summary: "about 150/30 Mbit/s (mid-band), 12 ms, fading",
            down: .fading(.init(mean: mbps(150), sigma: 0.5, correlation: 0.8)),
            up: .fading(.init(mean: mbps(30), sigma: 0.5, correlation: 0.8)),
            delay: delay(12, jitter: 2), loss: .none, queue: .dropTail(.bytes(4_000_000))),
        LinkProfile(
            name: "wifi-good", summary: "about 80/80 Mbit/s, 3 ms, light fading",
            down: .fading(.init(mean: mbps(80), sigma: 0.15, correlation: 0.7)),
            up: .fading(.init(mean: mbps(80), sigma: 0.15, correlation: 0.7)),
            delay: delay(3, jitter: 1, .pareto), loss: .none, queue: .coDel(limit: .packets(1000))),
        LinkProfile(
            name: "wifi-poor",
            summary:
                "about 6/3 Mbit/s, 8 ms with late packets, bursts of loss, outages of a second",
            down: .fading(
                .init(mean: mbps(6), sigma: 0.7, correlation: 0.6, outagesPerMinute: 0.5)),
            up: .fading(.init(mean: mbps(3), sigma: 0.7, correlation: 0.6, outagesPerMinute: 0.5)),
            delay: delay(8, jitter: 8, .pareto),
            loss: .gilbertElliott(p: 0.002, r: 0.2), queue: .dropTail(.packets(200))),
        LinkProfile(
            name: "drone-wifi",
            summary:
                "about 10/2 Mbit/s, 5 ms, fades of many seconds as the drone turns, loss bursts",
            down: .fading(
                .init(
                    mean: mbps(10), sigma: 0.8, correlation: 0.95, outagesPerMinute: 0.3,
                    outageSeconds: 2)),
            up: .fading(.init(mean: mbps(2), sigma: 0.8, correlation: 0.95)),
            delay: delay(5, jitter: 4, .pareto), loss: .gilbertElliott(p: 0.005, r: 0.25),
            queue: .dropTail(.packets(300))),
        LinkProfile(
            name: "tunnel", summary: "an LTE viewer on a train: 5 to 20 s without rate a minute",
            down: .tunnel(.init(mean: mbps(15), sigma: 0.5, correlation: 0.9), .init()),
            up: .tunnel(.init(mean: mbps(6), sigma: 0.5, correlation: 0.9), .init()),
            delay: delay(30, jitter: 6), loss: .none, queue: .dropTail(.bytes(1_000_000))),
    ]
}
