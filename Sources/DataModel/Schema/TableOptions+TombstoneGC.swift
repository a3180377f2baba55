/// `tombstone_gc`: when compactions may drop a table's tombstones. It is kept among the extensions, as
/// `mode=repair,propagation_delay_in_seconds=3600`, so that tools that copy schemas take it along.
extension TableOptions {
    package static let tombstoneGCName = "tombstone_gc"

    /// Empty where the table does not say it.
    package var tombstoneGC: [String: String] {
        get {
            guard let bytes = extensions[TableOptions.tombstoneGCName] else { return [:] }
            var options: [String: String] = [:]
            for entry in String(decoding: bytes, as: UTF8.self).split(separator: ",") {
                let parts: [Substring] = entry.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { options[String(parts[0])] = String(parts[1]) }
            }
            return options
        }
        set {
            let text: String = newValue.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                .joined(separator: ",")
            extensions[TableOptions.tombstoneGCName] = newValue.isEmpty ? nil : Array(text.utf8)
        }
    }
}
