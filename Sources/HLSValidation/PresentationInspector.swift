// How the validator is built.
//
// Every rule is a `ValidationRule` with its section and severity. The checks in `HLS/Validator` are
// pure: one playlist, successive reloads, playlists of one presentation, measured rates, response
// headers, and a shallow look into TS and fMP4. `PresentationInspector` only fetches what they
// judge.

public import HLS
public import HTTPFetch
import HTTPWire
import NIOCore
import NIOPosix
public import Sockets

/// Options of an inspection.
public struct InspectionOptions: Sendable {
    /// Seconds for which live playlists are followed, 0…86 400; a playlist that does not change is
    /// read once.
    public var seconds = 30.0
    /// Number of segments fetched of each playlist, 0…100 000; with 0 the media are not judged.
    public var segmentLimit = 200
    /// Seconds for one response, except that of a blocking reload.
    public var timeoutSeconds = 15.0
    /// Authorities that https trusts.
    public var trust = TLSTrust()

    public init() {}
}

/// Findings of an inspection.
public struct InspectionReport: Sendable, Encodable {
    public var location: String
    /// Number of media playlists.
    public var playlists = 0
    public var reloads = 0
    public var segments = 0
    public var isLive = false
    /// Whether the task was cancelled; the report then has the findings until that moment.
    public var isInterrupted = false
    public var errors = 0
    public var warnings = 0
    /// Number of findings about things that were not inspected; these are not faults of the server.
    public var notChecked = 0
    /// Number of violations beyond the limits of `ViolationList`.
    public var omitted = 0
    public var violations: [Violation] = []

    /// Makes a report with the violations of a list.
    init(location: String, _ list: ViolationList) {
        self.location = location
        errors = list.errors
        warnings = list.warnings
        notChecked = list.notChecked
        omitted = list.omitted
        violations = list.violations
    }
}

/// Reads a presentation from its server or from files, follows it while it is live, and reports
/// every rule that it breaks.
public struct PresentationInspector {
    /// Largest number of media playlists of one presentation.
    static let playlistLimit = 64

    let source: ResourceSource
    let options: InspectionOptions
    let location: String
    /// URL of the first response, after redirects.
    private var base = ""
    var list = ViolationList()
    var members: [InspectedPlaylist] = []
    var root: MultivariantPlaylist?
    var reloads = 0
    var segments = 0
    private var differences: Set<String> = []
    private let start = ContinuousClock.now

    /// Checks whether a target can be inspected, without a request to its server.
    ///
    /// - Throws: `FetchError` for a URL of another scheme, and for paths without a playlist.
    public static func check(_ target: String) throws(FetchError) {
        try PresentationTarget.check(target)
    }

    /// Inspects the whole presentation; live playlists are followed for `options.seconds`, or until
    /// the task is cancelled.
    ///
    /// - Parameter target: An `http://` or `https://` URL, a playlist file, or a directory with
    ///   one.
    /// - Throws: `FetchError` if the target names nothing, or the playlist itself cannot be
    ///   fetched.
    public static func inspect(
        _ target: String, options: InspectionOptions = .init()
    ) async throws(FetchError) -> InspectionReport {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result: Result<InspectionReport, FetchError>
        do throws(FetchError) {
            var inspector = try PresentationInspector(target, options: options, group: group)
            result = .success(try await inspector.run())
        } catch {
            result = .failure(error)
        }
        try? await group.shutdownGracefully()
        return try result.get()
    }

    private init(
        _ target: String, options: InspectionOptions, group: MultiThreadedEventLoopGroup
    ) throws(FetchError) {
        self.options = options
        let target = try PresentationTarget(target, group: group, trust: options.trust)
        (source, location) = (target.source, target.location)
    }

    var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }
    var timeout: Duration { .milliseconds(Int64(options.timeoutSeconds * 1000)) }

    private mutating func run() async throws(FetchError) -> InspectionReport {
        let first = try await source.load(location, timeout: timeout)
        guard first.response.status == 200 else {
            throw FetchError("\(location): the server answers \(first.response.statusText)")
        }
        base = source.isHTTP ? first.response.url : location
        let (playlist, violations) = PlaylistValidator.check(
            String(buffer: first.body), at: location,
            variables: PlaylistVariables(
                imported: [:], query: PresentationTarget.parameters(of: base)))
        list.add(violations)
        switch playlist {
        case nil: return report
        case .multivariant(let multivariant):
            root = multivariant
            if source.isHTTP {
                list.add(
                    ResponseValidator.playlist(first.response, isLive: false, targetDuration: 0))
            }
            addMembers(of: multivariant)
            for index in members.indices { await load(index) }
        case .media(let media):
            members = [InspectedPlaylist(location)]
            members[0].base = base
            take(media, first, of: 0)
        }
        await fetchSegments()
        if source.isHTTP {
            for index in members.indices { await checkLowLatency(index) }
            await follow()
            await checkRemovedSegments()
        }
        conclude()
        return report
    }

    private var report: InspectionReport {
        var report = InspectionReport(location: location, list)
        report.playlists = members.count
        report.reloads = reloads
        report.segments = segments
        report.isInterrupted = Task.isCancelled
        report.isLive = members.contains(where: \.isLive)
        return report
    }

    private mutating func addMembers(of multivariant: MultivariantPlaylist) {
        func add(
            _ uri: String, _ variant: MultivariantPlaylist.Variant?,
            _ rendition: MultivariantPlaylist.Rendition?
        ) {
            let location = source.reference(uri, against: base)
            guard !members.contains(where: { $0.location == location }) else { return }
            guard members.count < Self.playlistLimit else {
                return list.add([
                    Violation(
                        .playlistsLeftOut, at: self.location,
                        "only the first \(Self.playlistLimit) media playlists are looked at")
                ])
            }
            var member = InspectedPlaylist(location)
            member.variant = variant
            member.rendition = rendition
            members.append(member)
        }
        for variant in multivariant.variants { add(variant.uri, variant, nil) }
        for rendition in multivariant.renditions {
            if let uri = rendition.uri { add(uri, nil, rendition) }
        }
    }

    /// Reads a media playlist once.
    mutating func load(_ index: Int) async {
        let location = members[index].location
        do {
            var resource = try await source.load(members[index].base, timeout: timeout)
            if resource.response.status != 200, members[index].base != location {
                // The target of a redirect may have been temporary (RFC 9110, 15.4.3).
                members[index].base = location
                resource = try await source.load(location, timeout: timeout)
            }
            guard resource.response.status == 200 else {
                throw FetchError(
                    "\(members[index].base): the server answers \(resource.response.statusText)")
            }
            if source.isHTTP { members[index].base = resource.response.url }
            let (playlist, violations) = PlaylistValidator.check(
                String(buffer: resource.body), at: location, variables: variables(index))
            list.add(violations)
            switch playlist {
            case .media(let media): take(media, resource, of: index)
            case .multivariant:
                list.add([
                    Violation(
                        .unreadable, at: location,
                        "it is a multivariant playlist; a variant's must be a media playlist")
                ])
            case nil: break
            }
        } catch {
            guard !Task.isCancelled else { return }
            let isOwn = (error as? FetchError)?.isOwnLimit ?? false
            list.add([
                Violation(
                    isOwn ? .notLookedInto : .playlistUnfetchable, at: location, "\(error)")
            ])
        }
    }

    /// Variables that EXT-X-DEFINE of a member's playlist may import.
    func variables(_ index: Int) -> PlaylistVariables {
        PlaylistVariables(
            imported: root?.variables ?? [:],
            query: PresentationTarget.parameters(of: members[index].base))
    }

    /// Processes a whole playlist that was checked by itself.
    mutating func take(_ media: MediaPlaylist, _ resource: FetchedResource?, of index: Int) {
        if members[index].reloads.playlist != nil { reloads += 1 }
        let isFirst = members[index].reloads.playlist == nil
        list.add(members[index].receive(media, from: source, atSeconds: seconds))
        if isFirst, source.isHTTP, let resource {
            list.add(
                ResponseValidator.playlist(
                    resource.response, isLive: !media.hasEndList,
                    targetDuration: media.targetDuration))
        }
    }

    /// Reloads live playlists until the time is over or all have ended.
    private mutating func follow() async {
        while seconds < options.seconds, members.contains(where: { $0.isLive }) {
            let shortest =
                members.compactMap { $0.reloads.playlist?.targetDuration }.min() ?? 1
            let pause = min(max(0.2, Double(shortest) / 2), max(0, options.seconds - seconds))
            do {
                try await Task.sleep(for: .milliseconds(Int64(pause * 1000)))
            } catch {
                return
            }
            for index in members.indices where members[index].isLive { await load(index) }
            await fetchSegments()
            compare()
        }
    }

    func variantMembers() -> [VariantValidator.Member] {
        members.compactMap { member in
            // Subtitles have segments of their own lengths.
            guard let playlist = member.reloads.playlist, member.rendition?.kind != .subtitles
            else {
                return nil
            }
            return VariantValidator.Member(
                location: member.location, playlist: playlist,
                startSeconds: member.facts.compactMapValues(\.startSeconds))
        }
    }

    /// Compares playlists. A difference between two playlists occurs in every segment, so it is
    /// reported once.
    private mutating func compare() {
        list.add(
            VariantValidator.check(variantMembers()).filter {
                differences.insert("\($0.rule.id) \($0.playlist)").inserted
            })
    }

    private mutating func conclude() {
        compare()
        for member in members {
            list.add(member.durationViolations)
            guard let variant = member.variant, let playlist = member.reloads.playlist else {
                continue
            }
            let target = Double(playlist.targetDuration)
            let audio = members.filter {
                $0.rendition?.kind == .audio && $0.rendition?.groupID == variant.audioGroup
            }.flatMap { other in
                other.runs.compactMap { BandwidthValidator.peak($0, targetDuration: target) }
            }.max()
            list.add(
                BandwidthValidator.check(
                    variant, member.runs, targetDuration: target,
                    isComplete: playlist.hasEndList, audioPeak: audio ?? 0, at: member.location))
        }
    }

    /// Checks that segments that left a playlist are still available for a while.
    private mutating func checkRemovedSegments() async {
        for member in members where !Task.isCancelled {
            for gone in member.removed where seconds - gone.listedAtSeconds < 0.8 * gone.keepSeconds
            {
                guard let resource = try? await source.load(gone.location, timeout: timeout),
                    resource.response.status != 200, resource.response.status != 206
                else { continue }
                let age = (seconds - gone.listedAtSeconds).rounded()
                list.add([
                    Violation(
                        .removedSegmentGone, at: member.location,
                        "\(gone.location) was listed \(Int(age)) s ago and answers \(resource.response.status); it must be there for \(Int(gone.keepSeconds.rounded())) s, its own and the playlist's duration"
                    )
                ])
                break
            }
        }
    }
}
