package import Cluster
import DataModel

/// Decides which range this node verifies next, and when. A pure value: what is known goes in, a choice comes out.
///
/// Missed ranges come first, then the range that was verified longest ago. Ranges are verified again once half of the
/// window has passed, a few at a time, so that all are within the window though some replicas are away for a while.
package struct RepairSchedule: Sendable {
    /// One range that this node is to keep verified.
    package struct Candidate: Sendable, Hashable {
        package var target: RepairTarget
        /// When all of it was last verified; `TokenSeconds.never` when it never was.
        package var verifiedAtSeconds: Int64
        package var isMissed: Bool
        /// Whether all replicas are up.
        package var isPossible: Bool
        /// Not before this second: it has failed lately.
        package var notBeforeSeconds: Int64

        package init(
            target: RepairTarget, verifiedAtSeconds: Int64, isMissed: Bool = false, isPossible: Bool = true,
            notBeforeSeconds: Int64 = .min
        ) {
            self.target = target
            self.verifiedAtSeconds = verifiedAtSeconds
            self.isMissed = isMissed
            self.isPossible = isPossible
            self.notBeforeSeconds = notBeforeSeconds
        }
    }

    package let windowSeconds: Int64

    package init(windowSeconds: Int64) {
        self.windowSeconds = max(2, windowSeconds)
    }

    /// How long there is between two ranges, in seconds, so that all are through in half of the window.
    package func gapSeconds(candidateCount: Int) -> Double {
        Double(windowSeconds) / 2 / Double(max(1, candidateCount))
    }

    /// The index of the next one; nil when none is due.
    ///
    /// - Parameter isPaced: whether the gap since the last one has passed; missed ranges do not wait for it.
    package func next(_ candidates: [Candidate], nowSeconds: Int64, isPaced: Bool) -> Int? {
        var best: Int?
        for (index, candidate) in candidates.enumerated() {
            guard candidate.isPossible, candidate.notBeforeSeconds <= nowSeconds else { continue }
            guard candidate.isMissed || isPaced && isDue(candidate.verifiedAtSeconds, nowSeconds) else { continue }
            guard let chosen = best else {
                best = index
                continue
            }
            let other: Candidate = candidates[chosen]
            if candidate.isMissed != other.isMissed {
                if candidate.isMissed { best = index }
            } else if candidate.verifiedAtSeconds < other.verifiedAtSeconds {
                best = index
            }
        }
        return best
    }

    package func isDue(_ verifiedAtSeconds: Int64, _ nowSeconds: Int64) -> Bool {
        age(verifiedAtSeconds, nowSeconds).map { $0 >= windowSeconds / 2 } ?? true
    }

    /// Whether a range was not verified in time.
    ///
    /// - Parameter madeAtSeconds: since when there is anything to be verified, where nothing was.
    package func isOverdue(_ verifiedAtSeconds: Int64, madeAtSeconds: Int64, _ nowSeconds: Int64) -> Bool {
        (age(verifiedAtSeconds, nowSeconds) ?? nowSeconds - madeAtSeconds) > windowSeconds
    }

    /// Seconds since a range was verified; nil when it never was.
    package func age(_ verifiedAtSeconds: Int64, _ nowSeconds: Int64) -> Int64? {
        verifiedAtSeconds == TokenSeconds.never ? nil : max(0, nowSeconds - verifiedAtSeconds)
    }
}

/// How one range of one table stands.
package struct RangeStatus: Sendable, Hashable {
    package enum State: String, Sendable {
        case current
        /// It is verified again when its turn comes.
        case due
        /// It was not verified within the window.
        case overdue
        /// A replica has missed writes of it.
        case missed
        case running
    }

    package var keyspace: String
    package var table: String
    package var range: RingRange
    /// Nil when it never was.
    package var verifiedAtSeconds: Int64?
    /// Tombstones from before this second are on all replicas; nil when there is no such second.
    package var watermarkSeconds: Int64?
    package var isMissed: Bool
    package var state: State
    /// Replicas that are down, without which it cannot be verified.
    package var waitsFor: [NodeID]
}
