import DataModel
package import Primitives

/// Finds out which partitions of a shard are read and written most, while somebody wants to know
/// (`nodetool toppartitions`).
///
/// Every request counts, in a table of bounded size: when it is full, the rarer half is forgotten, and a partition that
/// comes back after that may have up to `error` more requests than are counted for it.
///
/// `Sendable` is unchecked because it is used on the shard's loop only, and handed out when it is used no more.
package final class PartitionSampler: @unchecked Sendable {
    package enum Kind: Int, Sendable, CaseIterable {
        case reads, writes
        /// Bytes of mutations instead of their number.
        case writtenBytes
    }

    package struct Partition: Hashable, Sendable {
        package let table: UUID
        package let key: [UInt8]
    }

    package struct Entry: Sendable, Hashable {
        package var partition: Partition
        package var count: Int
    }

    /// What was counted of one kind.
    package struct Counts: Sendable {
        package fileprivate(set) var byPartition: [Partition: Int] = [:]
        /// What may be missing in a count.
        package fileprivate(set) var error = 0
        package fileprivate(set) var total = 0

        /// Adds what another shard has counted.
        package mutating func add(_ other: Counts) {
            byPartition.merge(other.byPartition, uniquingKeysWith: +)
            error = max(error, other.error)
            total += other.total
        }

        package init() {}

        /// The partitions with the greatest counts, greatest first.
        package func top(_ count: Int) -> [Entry] {
            let all: [Entry] = byPartition.map { Entry(partition: $0.key, count: $0.value) }
            let sorted: [Entry] = all.sorted { left, right in
                left.count != right.count
                    ? left.count > right.count
                    : left.partition.key.lexicographicallyPrecedes(right.partition.key)
            }
            return Array(sorted.prefix(count))
        }
    }

    /// Tables that are looked at; all when empty.
    private let tables: Set<UUID>
    private let capacity: Int
    package private(set) var counts: [Counts] = Kind.allCases.map { _ in Counts() }

    package init(tables: Set<UUID>, capacity: Int) {
        self.tables = tables
        self.capacity = max(16, capacity)
    }

    package subscript(kind: Kind) -> Counts { counts[kind.rawValue] }

    func noteRead(_ table: UUID, _ key: UnsafeRawBufferPointer) {
        guard tables.isEmpty || tables.contains(table) else { return }
        count(.reads, Partition(table: table, key: [UInt8](key)), 1)
    }

    func noteWrite(_ table: UUID, _ mutation: RawSpan) {
        guard tables.isEmpty || tables.contains(table) else { return }
        guard let reader = try? MutationReader(mutation) else { return }
        let partition = Partition(table: table, key: [UInt8](copying: reader.key))
        count(.writes, partition, 1)
        count(.writtenBytes, partition, mutation.byteCount)
    }

    private func count(_ kind: Kind, _ partition: Partition, _ weight: Int) {
        let place: Int = kind.rawValue
        counts[place].byPartition[partition, default: 0] += weight
        counts[place].total += weight
        if counts[place].byPartition.count > capacity { forgetRarer(place) }
    }

    private func forgetRarer(_ place: Int) {
        let sorted: [Int] = counts[place].byPartition.values.sorted(by: >)
        let limit: Int = sorted[capacity / 2]
        counts[place].error += limit
        counts[place].byPartition = counts[place].byPartition.filter { $0.value > limit }
    }
}
