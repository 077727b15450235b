import Foundation
import Scenario
import TestSupport
import Testing

@testable import Stacks

/// The configuration that a run writes for SRS.
@Suite(.timeLimit(.minutes(1))) struct SRSTests {
    @Test func realTimeProfile() {
        var configuration = SRSConfiguration()
        configuration.hls = (2, 60)
        #expect(
            configuration.text == """
                listen {host}:{rtmp_port};
                max_connections 1000;
                daemon off;
                srs_log_tank console;
                srs_log_level warn;
                pid {dir}/srs.pid;
                http_api { enabled off; }
                http_server {
                    enabled on;
                    listen {host}:{http_port};
                    dir {dir}/html;
                }
                vhost __defaultVhost__ {
                    tcp_nodelay on;
                    min_latency on;
                    play { gop_cache on; mw_latency 0; }
                    publish { mr off; }
                    http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }
                    hls {
                        enabled on;
                        hls_fragment 2;
                        hls_window 60;
                        hls_path {dir}/html;
                        hls_ctx off;
                        hls_ts_ctx off;
                    }
                }

                """)
    }

    /// The default profile says nothing about merging, so that SRS's own defaults hold.
    @Test func defaultProfile() {
        var configuration = SRSConfiguration()
        configuration.profile = .standard
        configuration.hasGOPCache = false
        configuration.listensEverywhere = true
        configuration.connections = 724
        #expect(
            configuration.text == """
                listen {rtmp_port};
                max_connections 724;
                daemon off;
                srs_log_tank console;
                srs_log_level warn;
                pid {dir}/srs.pid;
                http_api { enabled off; }
                http_server {
                    enabled on;
                    listen {http_port};
                    dir {dir}/html;
                }
                vhost __defaultVhost__ {
                    play { gop_cache off; }
                    http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }
                }

                """)
    }

    @Test func settingsOfAScenario() throws {
        let scenario = try TrialScenario.parse(
            """
            version: 1
            name: x
            stack: {driver: srs, profile: default, flush_interval: 350ms, out_chunk_size: 8KiB, gop_cache: 0}
            streams: [{name: cam}]
            viewers: [{count: 1, protocol: hls}]
            """)
        let configuration = scenario.stack.srsConfiguration(host: "127.0.0.1")
        #expect(configuration.mergedWriteMilliseconds == 350)
        #expect(configuration.chunkSize == 8192)
        #expect(!configuration.hasGOPCache && configuration.profile == .standard)
        #expect(configuration.hls?.segmentSeconds == 2)
        #expect(configuration.connections >= 100)
        #expect(configuration.text.contains("play { gop_cache off; mw_latency 350; }"))
        let playlist = SRSConfiguration.playlist(
            stream: "cam", variants: scenario.streams[0].nginxVariants)
        let lines = playlist.split(separator: "\n")
        #expect(lines.first == "#EXTM3U" && lines.count == 9)
        #expect(lines.contains("../cam_720p.m3u8"))
        #expect(lines[1].contains("RESOLUTION=1280x720") && lines[1].contains("BANDWIDTH=3942000"))
        #expect(SRSConfiguration.playlistName(stream: "cam") == "html/live/cam/master.m3u8")
    }

    /// Where SRS is missing the error says how to get it; where it is installed the run starts it.
    @Test func startsOrSaysHowToInstall() async throws {
        let scenario = try TrialScenario.parse(
            """
            version: 1
            name: x
            stack: {driver: srs}
            streams: [{name: cam}]
            viewers: [{count: 1}]
            """)
        let directory = NSTemporaryDirectory() + "millrace-srs-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        func start() async throws {
            let driver = try scenario.stack.makeDriver(
                cpus: nil, logDirectory: directory, congestionControl: nil,
                streams: scenario.streams)
            _ = try await driver.start()
            await driver.stop()
        }
        guard SRSProgram.path == nil else { return try await start() }
        let error = await #expect(throws: StackError.self) { try await start() }
        #expect(error?.driver == "srs")
        #expect(error?.message.contains("MILLRACE_SRS") == true)
    }

    /// A path with a blank cannot stand in SRS's configuration.
    @Test func pathsWithBlanks() throws {
        guard SRSProgram.path != nil else { return }
        let error = #expect(throws: StackError.self) {
            try StackSettings().makeSRSDriver(
                cpus: nil, logDirectory: "/logs/a b", host: "127.0.0.1", streams: [])
        }
        #expect(error?.message.contains("--results") == true)
    }
}
