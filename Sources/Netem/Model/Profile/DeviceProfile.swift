/// A kind of viewer device: the largest rendition that its screen makes worth fetching.
public enum DeviceProfile: String, Sendable, Hashable, CaseIterable {
    case phone, tablet, pc

    /// Height in pixels of the tallest picture that the player requests.
    public var maximumHeight: Int {
        switch self {
        case .phone: 720
        case .tablet: 1080
        case .pc: 2160
        }
    }

    /// - Throws: `LinkError` that names the nearest device.
    public init(named name: String) throws(LinkError) {
        guard let device = Self(rawValue: name.lowercased()) else {
            throw LinkNotation.unknown(name, "device", among: Self.allCases.map(\.rawValue))
        }
        self = device
    }
}
