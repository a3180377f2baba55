internal import CQL

/// Checks the map of `tombstone_gc`.
enum TombstoneGCOptions {
    private static let modes: [String] = ["timeout", "repair", "immediate", "disabled"]
    private static let delay = "propagation_delay_in_seconds"

    /// The map with its mode in small letters.
    static func normalized(_ map: [String: String]) throws(CQLError) -> [String: String] {
        var options: [String: String] = [:]
        for (key, value) in map.sorted(by: { $0.key < $1.key }) {
            switch key {
            case "mode":
                guard modes.contains(value.lowercased()) else {
                    throw .configError(message: "Invalid value for tombstone_gc option mode: \(value)")
                }
                options[key] = value.lowercased()
            case delay:
                guard let seconds = Int32(value), seconds >= 0 else {
                    throw .configError(message: "Invalid value for tombstone_gc option \(delay): \(value)")
                }
                options[key] = String(seconds)
            default: throw .configError(message: "Invalid option of tombstone_gc: \(key)")
            }
        }
        return options
    }
}
