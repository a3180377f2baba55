import CQL
import DataModel

/// How many tombstones a read may pass before it is given up.
package struct TombstoneLimit: Sendable {
    /// Whether they count at all: in tables of the system they do not.
    let isCounted: Bool
    private let count: Int
    private let consistency: Consistency
    private let address: InetAddress

    package init(_ table: CompiledTable, _ context: RequestContext, _ node: NodeContext) {
        let isCounted: Bool = !SystemKeyspaceNames.isLocal(table.keyspace) && !table.isComputed
        self.init(
            count: isCounted ? node.limits.tombstoneFailureCount : nil, consistency: context.consistency,
            address: node.local.broadcast.address)
    }

    /// - Parameter count: nil for no limit.
    init(count: Int?, consistency: Consistency, address: InetAddress) {
        self.isCounted = count != nil
        self.count = count ?? .max
        self.consistency = consistency
        self.address = address
    }

    /// How many more a page may pass that has passed so many; nil for any number.
    func left(after passed: Int) -> Int? { isCounted ? max(0, count - passed) : nil }

    func check(_ passed: Int) throws(CQLError) {
        guard passed > count else { return }
        throw .readFailure(
            consistency, received: 0, required: 1,
            failures: [ReplicaFailure(address: address, reason: .readTooManyTombstones)], isDataPresent: false)
    }
}
