/// How alike two names are: for "did you mean".
package enum EditDistance {
    /// How many insertions, deletions and replacements of bytes turn one name into the other.
    package static func between(_ left: String, _ right: String) -> Int {
        let a = Array(left.utf8)
        let b = Array(right.utf8)
        var row = Array(0...b.count)
        for i in 1...max(1, a.count) where !a.isEmpty {
            var diagonal: Int = row[0]
            row[0] = i
            for j in 1...max(1, b.count) where !b.isEmpty {
                let replaced: Int = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)
                diagonal = row[j]
                row[j] = min(replaced, row[j] + 1, row[j - 1] + 1)
            }
        }
        return row[b.count]
    }

    /// The name that is nearest to a wrong one, the first of those that are equally near; nil when there are none.
    package static func nearest(to name: String, among names: [String]) -> String? {
        let ranked = names.map { (distance: between(name, $0), name: $0) }
        return ranked.min { ($0.distance, $0.name) < ($1.distance, $1.name) }?.name
    }
}
