/// The options of a table, with Cassandra's names and defaults (SURFACE 2.9). Maps keep the text that users gave.
public struct TableOptions: Hashable, Sendable {
    public var additionalWritePolicy: String = "99p"
    public var allowAutoSnapshot: Bool = true
    public var bloomFilterFalsePositiveChance: Double = 0.01
    public var caching: [String: String] = ["keys": "ALL", "rows_per_partition": "NONE"]
    public var cdc: Bool = false
    public var comment: String = ""
    public var compaction: [String: String] = [
        "class": "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy", "max_threshold": "32",
        "min_threshold": "4",
    ]
    public var compression: [String: String] = [
        "chunk_length_in_kb": "16", "class": "org.apache.cassandra.io.compress.LZ4Compressor",
    ]
    public var crcCheckChance: Double = 1.0
    public var defaultTimeToLive: Int32 = 0
    public var extensions: [String: [UInt8]] = [:]
    public var gcGraceSeconds: Int32 = 864_000
    public var incrementalBackups: Bool = true
    public var maxIndexInterval: Int32 = 2048
    public var memtable: String = "default"
    public var memtableFlushPeriodMilliseconds: Int32 = 0
    public var minIndexInterval: Int32 = 128
    public var readRepair: String = "BLOCKING"
    public var speculativeRetry: String = "99p"

    public init() {}
}
