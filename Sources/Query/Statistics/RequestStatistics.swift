import DataModel
public import Primitives

/// The kinds of requests that are told apart in statistics, with Cassandra's names.
public enum RequestKind: Int, Sendable, CaseIterable {
    case read, write, range, conditionalRead, conditionalWrite

    package var name: String {
        switch self {
        case .read: "Read"
        case .write: "Write"
        case .range: "RangeSlice"
        case .conditionalRead: "CASRead"
        case .conditionalWrite: "CASWrite"
        }
    }
}

/// How the requests of one kind have gone.
public struct RequestCounts: Sendable, Hashable {
    public var nanoseconds = LogHistogram()
    public var timeouts: UInt64 = 0
    public var unavailables: UInt64 = 0
    public var failures: UInt64 = 0
    /// By the code of their consistency level.
    public var byLevel: [UInt64] = [UInt64](repeating: 0, count: 12)

    mutating func add(_ other: RequestCounts) {
        nanoseconds.add(other.nanoseconds)
        timeouts &+= other.timeouts
        unavailables &+= other.unavailables
        failures &+= other.failures
        for level in byLevel.indices { byLevel[level] &+= other.byLevel[level] }
    }
}

/// How the requests for one table have gone, as their coordinator sees them.
public struct TableRequests: Sendable, Hashable {
    public var readNanoseconds = LogHistogram()
    public var writeNanoseconds = LogHistogram()
    public var rangeNanoseconds = LogHistogram()

    public init() {}

    mutating func add(_ other: TableRequests) {
        readNanoseconds.add(other.readNanoseconds)
        writeNanoseconds.add(other.writeNanoseconds)
        rangeNanoseconds.add(other.rangeNanoseconds)
    }
}

/// What clients have asked of one shard, and how long that took. Confined to the shard's loop; others get a copy.
public struct RequestStatistics: Sendable {
    private var kinds: [RequestCounts] = RequestKind.allCases.map { _ in RequestCounts() }
    /// By the table's slot; 0 is for what belongs to no table, or to one too many.
    private var tables: [TableRequests] = [TableRequests()]
    private var slots: [UUID: Int] = [:]
    private var lastTable: UUID?
    private var lastSlot = 0
    /// Statements that were sent as text, and prepared ones.
    public private(set) var textStatementCount: UInt64 = 0
    public private(set) var preparedStatementCount: UInt64 = 0
    /// Partitions of batches: logged, unlogged, of counters.
    public private(set) var batchPartitions: [LogHistogram] = [LogHistogram(), LogHistogram(), LogHistogram()]

    /// Tables that are told apart; a slot fits into twelve bits.
    static let slotLimit = 4_095

    public init() {}

    public subscript(kind: RequestKind) -> RequestCounts { kinds[kind.rawValue] }

    /// By table.
    public var byTable: [UUID: TableRequests] { slots.mapValues { tables[$0] } }

    /// Where the requests of a table are counted. Hot: once per request.
    public mutating func slot(of table: UUID) -> Int {
        if table == lastTable { return lastSlot }
        lastTable = table
        if let known = slots[table] {
            lastSlot = known
        } else if tables.count <= RequestStatistics.slotLimit {
            lastSlot = tables.count
            slots[table] = lastSlot
            tables.append(TableRequests())
        } else {
            lastSlot = 0
        }
        return lastSlot
    }

    /// Counts a request that was answered well. Hot: once per request.
    public mutating func note(_ kind: RequestKind, level: Int, slot: Int, nanoseconds: UInt64) {
        kinds[kind.rawValue].nanoseconds.record(nanoseconds)
        if level < 12 { kinds[kind.rawValue].byLevel[level] &+= 1 }
        guard slot < tables.count else { return }
        switch kind {
        case .read, .conditionalRead: tables[slot].readNanoseconds.record(nanoseconds)
        case .write, .conditionalWrite: tables[slot].writeNanoseconds.record(nanoseconds)
        case .range: tables[slot].rangeNanoseconds.record(nanoseconds)
        }
    }

    /// What went wrong with a request.
    public enum Mishap: Sendable {
        case timeout, unavailable, failure
    }

    public mutating func note(_ mishap: Mishap, _ kind: RequestKind) {
        switch mishap {
        case .timeout: kinds[kind.rawValue].timeouts &+= 1
        case .unavailable: kinds[kind.rawValue].unavailables &+= 1
        case .failure: kinds[kind.rawValue].failures &+= 1
        }
    }

    /// Counts a statement by how it came.
    @inline(__always)
    public mutating func noteStatement(isPrepared: Bool) {
        if isPrepared { preparedStatementCount &+= 1 } else { textStatementCount &+= 1 }
    }

    /// - Parameter kind: 0 for logged, 1 for unlogged, 2 for counters.
    package mutating func noteBatch(_ kind: Int, partitions: Int) {
        batchPartitions[min(max(kind, 0), 2)].record(UInt64(max(0, partitions)))
    }

    /// The same without what was counted by table, of which there may be thousands.
    public var withoutTables: RequestStatistics {
        var copy = RequestStatistics()
        copy.kinds = kinds
        copy.textStatementCount = textStatementCount
        copy.preparedStatementCount = preparedStatementCount
        copy.batchPartitions = batchPartitions
        return copy
    }

    /// Adds what another shard has counted.
    public mutating func add(_ other: RequestStatistics) {
        for place in kinds.indices { kinds[place].add(other.kinds[place]) }
        for (table, counted) in other.byTable { tables[slot(of: table)].add(counted) }
        textStatementCount &+= other.textStatementCount
        preparedStatementCount &+= other.preparedStatementCount
        for place in batchPartitions.indices { batchPartitions[place].add(other.batchPartitions[place]) }
    }
}
