/// What a port that speaks HTTP answers.
enum HTTPPortRole: Sendable {
    case mediaAndAPI
    case media
    case api

    var answersMedia: Bool { self != .api }
    var answersAPI: Bool { self != .media }
}
