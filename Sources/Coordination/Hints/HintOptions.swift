internal import Primitives

/// What the hints are told at their start. Keys of the configuration are named in parentheses.
package struct HintOptions: Sendable {
    /// When a hint counts as stored.
    package enum Durability: Sendable, Hashable {
        /// Once it survives the process (`commitlog_sync: periodic`).
        case written
        /// Once it survives the machine (`commitlog_sync: batch` and `group`).
        case synced
    }

    /// (`hints_directory`)
    package var directory: String
    package var durability: Durability = .synced
    /// (`hinted_handoff_enabled`)
    package var isEnabled = true
    /// (`hinted_handoff_disabled_datacenters`)
    package var disabledDatacenters: [String] = []
    /// (`max_hint_window`)
    package var window: Duration = .seconds(3 * 3_600)
    /// (`max_hints_size_per_host`), 0 for no limit.
    package var maximumBytesPerTarget = 0
    /// (`max_hints_file_size`)
    package var fileByteCount: Int = 128 << 20
    /// (`hints_flush_period`)
    package var flushPeriod: Duration = .seconds(10)
    /// How many bytes of hints may wait to be written, for all loops together. As many may be on their way to the disk.
    package var bufferByteCount: Int = 32 << 20
    /// (`hinted_handoff_throttle`), in bytes each second, split by the number of other nodes: all of them may have
    /// hints for the one that has come back. 0 for no limit.
    package var throttleBytesPerSecond: Int = 1_024 << 10
    /// How long a batch may take.
    package var batchTimeout: Duration = .seconds(10)
    package var batchByteCount: Int = 64 << 10
    package var batchesInFlight = 2

    package init(directory: String) {
        self.directory = directory
    }
}

/// Why a hint was not stored.
package enum HintRefusal: Error, Hashable, Sendable {
    /// Hints are switched off, for all or for the datacenter of the replica.
    case disabled
    /// The replica has been down for longer than hints are kept for; it needs a repair.
    case windowPassed
    /// More waits for the disk than may wait.
    case overloaded
    /// The replica has as many bytes of hints as it may have.
    case targetFull
    case tooLarge
    case closed
    case disk(String)
}

/// What an operator should look at.
package enum HintProblem: Hashable, Sendable {
    /// Hints could not be written and are lost.
    case lost(path: String, hintCount: Int, reason: String)
    /// Records of a file cannot be read; the others are delivered.
    case damaged(path: String, recordCount: Int)
    /// Nothing of a file can be read; it has been given another name.
    case unreadable(path: String, reason: String)
    /// A file could not be read or removed now; it is tried again.
    case failed(path: String, reason: String)
}
