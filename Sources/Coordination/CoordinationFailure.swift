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
}

/// Why a request could not be carried out at its level.
package enum CoordinationFailure: Error, Sendable, Equatable {
    /// Nothing was done: too few replicas are alive.
    case unavailable(Consistency, required: Int, alive: Int)
    /// Too few replicas have answered in time. The write may have happened, and may still happen.
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
