#if PLANTS
/// A deliberate bug that the simulation can switch on, to show that its checkers find what they are there for.
///
/// Compiled into debug builds, and into the release build of the simulator; nothing that is shipped has it
/// (docs/TESTING.md, Simulation).
package enum Plant: String, CaseIterable, Sendable {
    case acknowledgeEarly = "acknowledge-early"
    case forgetHint = "forget-hint"
    case skipLogSync = "skip-log-sync"
    case dropTombstone = "drop-tombstone"
    case acceptOlderBallot = "accept-older-ballot"
    case leafIgnoresTombstones = "leaf-ignores-tombstones"
    case purgeBeforeWatermark = "purge-before-watermark"
    case handOverEarly = "hand-over-early"

    /// The one that is on. Set before a world begins and by the simulator alone, in its one thread.
    package nonisolated(unsafe) static var active: Plant?

    package static func isOn(_ plant: Plant) -> Bool { active == plant }

    package var words: String {
        switch self {
        case .acknowledgeEarly: "a write is acknowledged when one replica has it, whatever the level"
        case .forgetHint: "nothing is kept for a replica that has missed a write"
        case .skipLogSync: "a write is acknowledged before the commit log is on the disk"
        case .dropTombstone: "a compaction drops tombstones, however young"
        case .acceptOlderBallot: "a replica accepts a proposal though it has promised a newer ballot"
        case .leafIgnoresTombstones: "the hashes that repair compares leave out tombstones"
        case .purgeBeforeWatermark: "a compaction drops tombstones past their grace that no repair has spread yet"
        case .handOverEarly: "a range is handed over to a new owner that has not fetched its data"
        }
    }
}
#endif
