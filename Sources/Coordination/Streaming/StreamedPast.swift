import Storage

/// What a source knew of a table before it looked what it has: it is true of everything that is fetched from it.
struct StreamedPast: Sendable, Hashable {
    /// The last truncation that it had finished: nothing of before is among it.
    var truncation: Int64 = 0
    /// Up to when everything that was written anywhere is among it.
    var watermarks = TokenSeconds()

    init(truncation: Int64 = 0, watermarks: TokenSeconds = TokenSeconds()) {
        self.truncation = truncation
        self.watermarks = watermarks
    }

    /// Takes in what the source says when it is asked once more, for ranges that are still missing.
    mutating func add(_ later: StreamedPast, _ missing: TokenRanges) {
        truncation = min(truncation, later.truncation)
        for (tokens, seconds) in missing.runs.flatMap({ later.watermarks.seconds(in: $0) }) {
            watermarks.change(tokens) { min($0, seconds) }
        }
    }
}
