/// An RTMP server to which a stack pushes each published stream under the stream's own name.
package struct RelayTarget: Sendable, Hashable {
    package var host: String
    package var port: Int
    package var application: String

    package init(host: String = "127.0.0.1", port: Int, application: String) {
        self.host = host
        self.port = port
        self.application = application
    }

    /// URL of the application: `rtmp://host:port/application`.
    var url: String { "rtmp://\(host):\(port)/\(application)" }
}
