import Glibc
import Processes

/// The program of SRS (Simple Realtime Server), which no package of Debian has.
package enum SRSProgram {
    /// Environment variable with the program's path.
    package static let variable = "MILLRACE_SRS"
    /// Path at which SRS's own `make install` puts the program.
    static let installed = "/usr/local/srs/objs/srs"

    /// What to do if the program is missing.
    package static let remedy =
        "build it (github.com/ossrs/srs, trunk: ./configure && make && make install), or name the program with \(variable)=/path/to/srs"

    /// Path of the program; nil if there is none that may be executed.
    package static var path: String? {
        if let named = getenv(variable) { return Program.find(String(cString: named)) }
        return Program.find("srs") ?? Program.find(installed)
    }
}
