import ArgumentParser
import Server
import Sockets

/// Options of `serve` and `edge` for access to the status.
struct APITokenOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Answer API and metrics on other machines with Authorization: Bearer TOKEN; else they are answered on this one alone. On a command line others can read it: prefer the file.",
            valueName: "token"))
    var apiToken: String?
    @Option(help: ArgumentHelp("File with that token.", valueName: "file"))
    var apiTokenFile: String?
}

/// Options of `serve` for the right to connect, publish and play.
struct AccessOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Accept only this stream: NAME, NAME:SECRET for publishers that send ?key=SECRET, or NAME:sha256:HEX with the secret's hash. NAME may be APPLICATION/NAME, and * is any name. Repeatable.",
            valueName: "key"))
    var streamKey: [String] = []
    @Option(
        help: ArgumentHelp(
            "File with such keys, one a line; # begins a comment. SIGHUP reads it again.",
            valueName: "file"))
    var streamKeys: String?
    @Option(
        help: ArgumentHelp(
            "Play only with this key, in the form of --stream-key: ?key=SECRET at the end of the URL. HLS playlists hand it on to what they list. Repeatable.",
            valueName: "key"))
    var playKey: [String] = []
    @Option(help: ArgumentHelp("File with keys for players.", valueName: "file"))
    var playKeys: String?
    @Option(
        help: ArgumentHelp(
            "Only these addresses may connect, such as 192.0.2.0/24. Repeatable, as all of these.",
            valueName: "cidr"))
    var allow: [String] = []
    @Option(help: ArgumentHelp("These addresses may not connect.", valueName: "cidr"))
    var deny: [String] = []
    @Option(help: ArgumentHelp("Only these addresses may publish.", valueName: "cidr"))
    var allowPublish: [String] = []
    @Option(help: ArgumentHelp("These addresses may not publish.", valueName: "cidr"))
    var denyPublish: [String] = []
    @Option(help: ArgumentHelp("Only these addresses may play.", valueName: "cidr"))
    var allowPlay: [String] = []
    @Option(help: ArgumentHelp("These addresses may not play.", valueName: "cidr"))
    var denyPlay: [String] = []
    @Option(help: ArgumentHelp("Only these addresses may ask API and metrics.", valueName: "cidr"))
    var allowAPI: [String] = []
    @Option(help: ArgumentHelp("These addresses may not ask API and metrics.", valueName: "cidr"))
    var denyAPI: [String] = []
    @Option(
        help: ArgumentHelp(
            "Ask this URL with a POST of JSON whether a peer may connect, publish and play, and tell it of ends; anything but a status of 2xx in time refuses. HLS viewers are asked about every 30 s, and not about segments.",
            valueName: "url"))
    var hook: String?
    @Option(help: "Milliseconds that the answer may take, 10 to 60000.")
    var hookTimeout = 5000
    @Option(
        help: ArgumentHelp(
            "PEM file of the authorities to trust with an https URL, instead of the system's.",
            valueName: "file"))
    var hookCA: String?
    @OptionGroup var token: APITokenOptions

    var configuration: AccessConfiguration {
        var access = AccessConfiguration()
        access.streamKeyFile = streamKeys
        access.playKeys = playKey
        access.playKeyFile = playKeys
        access.connections = AddressRules(allow: allow, deny: deny)
        access.publish = AddressRules(allow: allowPublish, deny: denyPublish)
        access.play = AddressRules(allow: allowPlay, deny: denyPlay)
        access.api = AddressRules(allow: allowAPI, deny: denyAPI)
        access.hook = hook
        access.hookTimeoutMilliseconds = hookTimeout
        access.hookTrust = TLSTrust(authorities: hookCA)
        access.apiToken = token.apiToken
        access.apiTokenFile = token.apiTokenFile
        return access
    }

    func validate() throws {
        var settings = ServerConfiguration()
        settings.streamKeys = streamKey
        if let problem = settings.problem { throw ValidationError("--stream-key: \(problem)") }
        settings.access = configuration
        if let problem = settings.problem { throw ValidationError(problem) }
    }
}
