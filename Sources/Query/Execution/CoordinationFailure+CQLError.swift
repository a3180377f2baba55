package import CQL
import Cluster
import Coordination
import DataModel
import Environment

extension CoordinationFailure {
    /// What the client is told.
    ///
    /// - Parameter topology: knows the addresses of the replicas that failed.
    func cqlError(_ topology: Topology) -> CQLError {
        switch self {
        case .unavailable(let level, let required, let alive):
            return .unavailable(level, required: required, alive: alive)
        case .writeTimedOut(let kind, let level, let received, let required):
            return .writeTimeout(kind.writeType, level, received: received, required: required)
        case .writeFailed(let kind, let level, let received, let required, let failures):
            return .writeFailure(
                kind.writeType, level, received: received, required: required,
                failures: CoordinationFailure.told(failures, topology))
        case .readTimedOut(let level, let received, let required, let hasData):
            return .readTimeout(level, received: received, required: required, isDataPresent: hasData)
        case .readFailed(let level, let received, let required, let hasData, let failures):
            return .readFailure(
                level, received: received, required: required, failures: CoordinationFailure.told(failures, topology),
                isDataPresent: hasData)
        case .outcomeUnknown(let level, let received, let required):
            return .casWriteUnknown(level, received: received, required: required)
        case .contended(let level, let received, let required, let contentionCount):
            return .casTimeout(level, received: received, required: required, contentions: contentionCount)
        case .overloaded:
            return .overloaded(message: "The node is overloaded: too many writes wait for their replicas")
        }
    }

    /// Ascending by address, so that the same failures are always told in the same words.
    private static func told(
        _ failures: [NodeID: Coordination.ReplicaFailure], _ topology: Topology
    ) -> [CQL.ReplicaFailure] {
        let sorted = failures.sorted { $0.key < $1.key }.map { node, reason in
            CQL.ReplicaFailure(
                address: topology.member(node).flatMap { InetAddress(bytes: $0.internode.host) } ?? .anyIPv4,
                reason: FailureReason(code: reason.rawValue))
        }
        return sorted.sorted { $0.address.bytes.lexicographicallyPrecedes($1.address.bytes) }
    }
}

extension WriteKind {
    /// The same in the protocol's words.
    var writeType: WriteType {
        switch self {
        case .simple: .simple
        case .batch: .batch
        case .unloggedBatch: .unloggedBatch
        case .counter: .counter
        case .batchLog: .batchLog
        case .compareAndSet: .compareAndSet
        }
    }
}

extension ShardExecutor {
    /// What the client is told of a failure of the coordinators.
    func cqlError(_ failure: CoordinationFailure) -> CQLError { failure.cqlError(coordination.view.topology) }

    /// What a client is told of any failure of a request.
    package func clientError(_ error: any Error) -> CQLError {
        (error as? CoordinationFailure).map(cqlError) ?? StorageFailure.cqlError(error)
    }
}
