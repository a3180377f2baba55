package import Cluster
package import DataModel

/// What kind of write a failure is about; drivers decide by it whether to try again.
public enum WriteKind: Sendable, Hashable {
    case simple
    case batch
    case unloggedBatch
    case counter
    case batchLog
    case compareAndSet
}

/// Why a replica could not do its part.
package enum ReplicaFailure: UInt16, Sendable, Hashable {
    case unknown = 0
    case tooManyTombstones = 1
    case timedOut = 2
    case incompatibleSchema = 3
    case nodeDown = 5
    /// It places the partition elsewhere than the coordinator. Coordinators begin again; clients never hear of it.
    case otherPlacement = 0x4001
}

extension [NodeID: ReplicaFailure] {
    /// Whether no replica has said that it could not do its part: some just could not be heard.
    ///
    /// A request that fails by this is told as timed out, without waiting for the time: what became of it there nobody
    /// knows, and drivers try again after time-outs where they do not after failures.
    var isSilence: Bool { values.allSatisfy { $0 == .nodeDown || $0 == .timedOut } }
}

/// Why a request could not be carried out at its level.
package enum CoordinationFailure: Error, Sendable, Equatable {
    /// Nothing was done: too few replicas are alive.
    case unavailable(Consistency, required: Int, alive: Int)
    /// Too few replicas have answered in time, or can still answer. The write may have happened, and may still happen.
    case writeTimedOut(WriteKind, Consistency, received: Int, required: Int)
    case writeFailed(WriteKind, Consistency, received: Int, required: Int, failures: [NodeID: ReplicaFailure])
    case readTimedOut(Consistency, received: Int, required: Int, hasData: Bool)
    case readFailed(
        Consistency, received: Int, required: Int, hasData: Bool, failures: [NodeID: ReplicaFailure])
    /// A conditional write may or may not have happened.
    case outcomeUnknown(Consistency, received: Int, required: Int)
    /// Others have kept changing the partition.
    case contended(Consistency, received: Int, required: Int, contentionCount: Int)
    /// More is waiting than may wait.
    case overloaded
}
