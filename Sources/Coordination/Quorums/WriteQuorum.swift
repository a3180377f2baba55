/// Decides, from the answers of replicas alone, when a write may be acknowledged and who needs a hint.
///
/// A pure value: it sends nothing, waits for nothing and reads no clock. Positions are those of the replicas in their
/// set.
///
///     answers, failures, the deadline ──▶ WriteQuorum ──▶ the outcome, once; who is silent, at the end
///
/// Hot: one for each write to more than one replica.
public struct WriteQuorum {
    public enum Outcome: Sendable, Equatable {
        /// Nothing new for whoever waits.
        case undecided
        case succeeded
        /// So many have failed that the level can not be reached any more.
        case failed
    }

    public let rule: AnswerRule
    /// Who was sent the write and has not said anything.
    @usableFromInline var silentReplicas: UInt64
    @usableFromInline var confirmedReplicas: UInt64 = 0
    @usableFromInline var failedReplicas: UInt64 = 0
    @usableFromInline var hasOutcome = false
    /// Whether a stored hint is an answer, as for the level ANY: then no failure of replicas is the end.
    @usableFromInline let countsHints: Bool

    /// Starts a write that is sent to `replicas`.
    @inlinable
    public init(_ rule: AnswerRule, sentTo replicas: UInt64, countsHints: Bool = false) {
        self.rule = rule
        self.silentReplicas = replicas
        self.countsHints = countsHints
    }

    @inlinable public var silent: UInt64 { silentReplicas }
    @inlinable public var confirmed: UInt64 { confirmedReplicas }
    @inlinable public var failed: UInt64 { failedReplicas }
    @inlinable public var isDecided: Bool { hasOutcome }
    /// Whether there is nobody left to hear from.
    @inlinable public var isOver: Bool { silentReplicas == 0 }

    /// A replica has the write. Answers that come twice, or from somebody who was not asked, change nothing.
    @inlinable
    public mutating func replicaConfirmed(_ position: Int) -> Outcome {
        let bit: UInt64 = 1 << UInt64(position & 63)
        guard silentReplicas & bit != 0 else { return .undecided }
        silentReplicas &= ~bit
        confirmedReplicas |= bit
        guard !hasOutcome, rule.isMet(by: confirmedReplicas) else { return .undecided }
        hasOutcome = true
        return .succeeded
    }

    /// A replica could not write, or can not be reached.
    public mutating func replicaFailed(_ position: Int) -> Outcome {
        let bit: UInt64 = 1 << UInt64(position & 63)
        guard silentReplicas & bit != 0 else { return .undecided }
        silentReplicas &= ~bit
        failedReplicas |= bit
        guard !hasOutcome, !countsHints, !rule.isMet(by: confirmedReplicas | silentReplicas) else { return .undecided }
        hasOutcome = true
        return .failed
    }

    /// A hint has been stored, which is an answer for the level ANY, and for no other.
    public mutating func hintStored() -> Outcome {
        guard !hasOutcome else { return .undecided }
        hasOutcome = true
        return .succeeded
    }

    /// The time is over. Whoever is silent needs a hint.
    ///
    /// - Returns: whether the write has failed by that: it was not acknowledged before.
    public mutating func deadlinePassed() -> Bool {
        let isLate: Bool = !hasOutcome
        hasOutcome = true
        return isLate
    }
}
