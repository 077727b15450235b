/// A setting, a trial or a figure that the gate cannot use; the text says why and how to mend it.
package struct GateFault: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}
