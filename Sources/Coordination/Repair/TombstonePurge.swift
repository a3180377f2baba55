import DataModel
package import Primitives
package import Storage

/// When compactions of a table may drop its tombstones (`tombstone_gc`).
package struct TombstonePurge: Hashable, Sendable {
    package enum Mode: String, CaseIterable, Sendable {
        /// Once they are past their grace.
        case timeout
        /// Once they are past their grace and a repair has brought them to all replicas.
        case `repair`
        /// At once.
        case immediate
        /// Never.
        case disabled
    }

    package var mode: Mode
    /// (`gc_grace_seconds`)
    package var graceSeconds: Int64
    /// How long a write may take to reach a replica after the time that it says it was made at
    /// (`propagation_delay_in_seconds`): what a repair has seen at one moment it vouches for only so long before.
    package var propagationDelaySeconds: Int64

    package static let standardPropagationDelaySeconds: Int64 = 3_600

    package init(
        mode: Mode, graceSeconds: Int64,
        propagationDelaySeconds: Int64 = TombstonePurge.standardPropagationDelaySeconds
    ) {
        self.mode = mode
        self.graceSeconds = graceSeconds
        self.propagationDelaySeconds = propagationDelaySeconds
    }

    /// - Parameters:
    ///   - options: the table's `tombstone_gc`; what it does not say follows from the replication.
    ///   - isReplicated: whether other nodes have copies.
    package init(_ options: [String: String], graceSeconds: Int64, isReplicated: Bool) {
        self.mode = options["mode"].flatMap { Mode(rawValue: $0) } ?? (isReplicated ? .repair : .timeout)
        self.graceSeconds = graceSeconds
        self.propagationDelaySeconds =
            options["propagation_delay_in_seconds"].flatMap { Int64($0) }.map { max(0, $0) }
            ?? TombstonePurge.standardPropagationDelaySeconds
    }

    /// How far the clocks of replicas may be apart without one of them finding a tombstone that another has dropped.
    private static let clockSlackSeconds: Int64 = 60

    /// Tombstones from before this second are left out of comparisons at `nowSeconds`: a replica may have dropped them.
    package func comparisonStart(nowSeconds: Int64) -> Int64 {
        switch mode {
        case .timeout, .repair: nowSeconds - graceSeconds + TombstonePurge.clockSlackSeconds
        case .immediate: nowSeconds + TombstonePurge.clockSlackSeconds
        case .disabled: HashFrame.hashesAll
        }
    }

    /// What storage is told; nil where the grace alone says it.
    package func start(_ table: UUID, _ watermarks: RepairWatermarks) -> PurgeStart? {
        switch mode {
        case .timeout: return nil
        case .immediate: return { _, now in now + 1 }
        case .disabled: return { _, _ in .min }
        case .repair:
            let grace: Int64 = graceSeconds
            return { token, now in
                let watermark: Int64 = watermarks.watermark(table: table, token: token)
                // One from the future was noted while this node's clock was ahead, and vouches for nothing.
                return watermark > now ? .min : min(now - grace, watermark)
            }
        }
    }

    /// The watermark of a range whose replicas were equal at a cut.
    package func watermark(ofCutAt seconds: Int64) -> Int64 { seconds - propagationDelaySeconds }

    /// When the replicas were compared that a watermark comes from; `TokenSeconds.never` when they never were.
    package func cut(ofWatermark seconds: Int64) -> Int64 {
        seconds == TokenSeconds.never || seconds > .max - propagationDelaySeconds
            ? seconds : seconds + propagationDelaySeconds
    }
}
