/// Finds the name that a writer probably meant.
public enum NameDistance {
    /// Levenshtein distance in characters; letter case is ignored.
    public static func between(_ a: String, _ b: String) -> Int {
        let a = Array(a.lowercased())
        let b = Array(b.lowercased())
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let above = row[j + 1]
                let cost = a[i] == b[j] ? 0 : 1
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + cost)
                diagonal = above
            }
        }
        return row[b.count]
    }

    /// The candidate closest to `name`; nil if no candidate begins with `name` or differs from it
    /// in at most half its length.
    public static func nearest(to name: String, among candidates: [String]) -> String? {
        let ranked = candidates.map {
            (name: $0, distance: $0.hasPrefix(name) && !name.isEmpty ? 1 : between(name, $0))
        }
        guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(2, name.count / 2) ? best.name : nil
    }
}
