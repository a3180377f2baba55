import CQL
import DataModel
import Testing

@testable import Query

/// The options of tables: what is kept, what is refused.
@Suite struct TableOptionTests {
    private func options(_ properties: String) throws -> TableOptions {
        let sandbox = try SchemaSandbox("CREATE TABLE t (k int PRIMARY KEY) WITH \(properties)")
        return try sandbox.table("t").options
    }

    @Test func compactionKeepsTheFullClassAndTheThresholds() throws {
        let leveled = try options("compaction = {'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': 10}")
        #expect(
            leveled.compaction == [
                "class": "org.apache.cassandra.db.compaction.LeveledCompactionStrategy", "sstable_size_in_mb": "10",
                "min_threshold": "4", "max_threshold": "32",
            ])
        #expect(leveled.bloomFilterFalsePositiveChance == 0.1)
        let unified = try options("compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4, N'}")
        #expect(unified.compaction.count == 2)
        #expect(unified.bloomFilterFalsePositiveChance == 0.01)
    }

    @Test func compressionKeepsTheFullClassAndTheChunkLength() throws {
        #expect(
            try options("compression = {'class': 'ZstdCompressor', 'compression_level': 5}").compression == [
                "class": "org.apache.cassandra.io.compress.ZstdCompressor", "compression_level": "5",
                "chunk_length_in_kb": "16",
            ])
        #expect(try options("compression = {'enabled': false}").compression == ["enabled": "false"])
        #expect(try options("compression = {}").compression == ["enabled": "false"])
    }

    @Test(arguments: [
        ("99percentile", "99p"), ("99.9P", "99.9p"), ("50.7ms", "50ms"), ("always", "ALWAYS"), ("NONE", "NEVER"),
        ("min(50ms, 99p)", "MIN(99p,50ms)"), ("MAX(99.12345p,1ms)", "MAX(99.1234p,1ms)"), ("0.5p", "0.5p"),
    ])
    func speculativeRetryHasOneSpelling(_ written: String, _ kept: String) throws {
        #expect(try options("speculative_retry = '\(written)'").speculativeRetry == kept)
        #expect(try options("additional_write_policy = '\(written)'").additionalWritePolicy == kept)
    }

    @Test func cachingAndOthersAreKeptAsWritten() throws {
        let all = try options(
            "caching = {'keys': 'none', 'rows_per_partition': 10} AND comment = 'it''s' AND cdc = true "
                + "AND gc_grace_seconds = 0 AND read_repair = 'none' AND extensions = {'a': 0x0102} "
                + "AND memtable = 'trie' AND allow_auto_snapshot = false AND incremental_backups = 'no'")
        #expect(all.caching == ["keys": "NONE", "rows_per_partition": "10"])
        #expect(all.comment == "it's")
        #expect(all.cdc)
        #expect(all.gcGraceSeconds == 0)
        #expect(all.readRepair == "NONE")
        #expect(all.extensions == ["a": [1, 2]])
        #expect(all.memtable == "trie")
        #expect(!all.allowAutoSnapshot)
        #expect(!all.incrementalBackups)
    }

    @Test func whenTombstonesMayGoIsKeptAndShown() throws {
        var sandbox = try SchemaSandbox(
            "CREATE TABLE t (k int PRIMARY KEY) "
                + "WITH tombstone_gc = {'mode': 'REPAIR', 'propagation_delay_in_seconds': '7'}")
        let kept: [String: String] = ["mode": "repair", "propagation_delay_in_seconds": "7"]
        #expect(try sandbox.table("t").options.tombstoneGC == kept)
        let shown: String = try sandbox.describe("DESCRIBE TABLE t").first?.last ?? ""
        #expect(shown.contains("AND extensions = {}"))
        #expect(shown.hasSuffix("AND tombstone_gc = {'mode': 'repair', 'propagation_delay_in_seconds': '7'};"))
        // Other extensions come and go without it.
        _ = try sandbox.apply("ALTER TABLE t WITH extensions = {'a': 0x01}")
        #expect(try sandbox.table("t").options.tombstoneGC == kept)
        _ = try sandbox.apply("ALTER TABLE t WITH tombstone_gc = {}")
        #expect(try sandbox.table("t").options.extensions == ["a": [1]])
    }

    static let refusals: [RefusalTests.Case] = [
        .init(
            "tombstone_gc = {'mode': 'sometimes'}",
            .configError(message: "Invalid value for tombstone_gc option mode: sometimes")),
        .init(
            "tombstone_gc = {'propagation_delay_in_seconds': '-1'}",
            .configError(message: "Invalid value for tombstone_gc option propagation_delay_in_seconds: -1")),
        .init("tombstone_gc = {'when': 'now'}", .configError(message: "Invalid option of tombstone_gc: when")),
        .init("nonsense = 1", .syntaxError(message: "Unknown property 'nonsense'")),
        .init(
            "bloom_filter_fp_chance = 0",
            .configError(
                message: "bloom_filter_fp_chance must be larger than 6.71E-5 and less than or equal to 1.0 (got 0.0)")),
        .init(
            "crc_check_chance = 1.5",
            .configError(
                message: "crc_check_chance must be larger than or equal to 0 and smaller than or equal to 1.0 "
                    + "(got 1.5)")),
        .init(
            "gc_grace_seconds = -1",
            .configError(message: "gc_grace_seconds must be greater than or equal to 0 (got -1)")),
        .init(
            "default_time_to_live = 630720001",
            .configError(message: "default_time_to_live must be less than or equal to 630720000 (got 630720001)")),
        .init(
            "default_time_to_live = 'x'", .syntaxError(message: "Invalid integer value x for 'default_time_to_live'")),
        .init(
            "min_index_interval = 4096",
            .configError(
                message: "max_index_interval must be greater than or equal to min_index_interval (4096) (got 2048)")),
        .init("comment = {}", .syntaxError(message: "Invalid value for property 'comment'. It should be a string")),
        .init(
            "compaction = 'x'", .syntaxError(message: "Invalid value for property 'compaction'. It should be a map.")),
        .init(
            "compaction = {'min_threshold': 4}",
            .configError(message: "Missing sub-option 'class' for the 'compaction' option")),
        .init(
            "compaction = {'class': 'DateTieredCompactionStrategy'}",
            .configError(
                message: "Unable to find compaction strategy class "
                    + "'org.apache.cassandra.db.compaction.DateTieredCompactionStrategy'")),
        .init(
            "compaction = {'class': 'SizeTieredCompactionStrategy', 'nope': 1}",
            .configError(message: "Properties specified [nope] are not understood by SizeTieredCompactionStrategy")),
        .init(
            "compaction = {'class': 'SizeTieredCompactionStrategy', 'min_threshold': 1}",
            .configError(message: "Min compaction threshold cannot be less than 2 (got 1)")),
        .init(
            "compaction = {'class': 'SizeTieredCompactionStrategy', 'bucket_low': 2}",
            .configError(message: "bucket_high value (1.5) is less than or equal to the bucket_low value (2.0)")),
        .init(
            "compaction = {'class': 'UnifiedCompactionStrategy', 'target_sstable_size': '1KiB'}",
            .configError(message: "target_sstable_size 1KiB is not acceptable, size must be at least 1.000MiB")),
        .init(
            "compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'WEEKS'}",
            .configError(message: "WEEKS is not valid for compaction_window_unit")),
        .init(
            "compression = {'chunk_length_in_kb': 16}",
            .configError(message: "Missing sub-option 'class' for the 'compression' option.")),
        .init(
            "compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 15}",
            .configError(message: "chunk_length_in_kb must be a power of 2")),
        .init(
            "compression = {'class': 'LZ4Compressor', 'nope': 1}",
            .configError(message: "Unknown compression options nope")),
        .init(
            "compression = {'class': 'Nope'}",
            .configError(message: "Could not create Compression for type org.apache.cassandra.io.compress.Nope")),
        .init(
            "caching = {'keys': 'SOME'}",
            .configError(
                message: "Invalid value 'SOME' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed")),
        .init(
            "speculative_retry = '100p'",
            .configError(
                message: "Invalid value 100p for PERCENTILE option 'speculative_retry': must be between "
                    + "(0.0 and 100.0)")),
        .init(
            "speculative_retry = 'often'", .configError(message: "Invalid value often for option 'speculative_retry'")),
        .init(
            "speculative_retry = 'MIN(1ms,2ms)'",
            .configError(
                message: "Invalid value MIN(1ms,2ms) for option 'speculative_retry': MIN()/MAX() arguments should be "
                    + "of different types, but both are of type FIXED")),
        .init("memtable = 'nope'", .configError(message: "Memtable configuration \"nope\" not found.")),
        .init("id = 'nope'", .configError(message: "Invalid table id")),
    ]

    @Test(arguments: refusals)
    func refusesInCassandrasWords(_ example: RefusalTests.Case) throws {
        var sandbox = try SchemaSandbox()
        #expect(
            sandbox.refusal("CREATE TABLE t (k int PRIMARY KEY) WITH \(example.statement)") == example.error)
    }

    @Test func numbersAreSpelledAsInJava() {
        #expect(JavaText.double(0.01) == "0.01")
        #expect(JavaText.double(1) == "1.0")
        #expect(JavaText.double(6.71e-5) == "6.71E-5")
        #expect(JavaText.double(1e7) == "1.0E7")
        #expect(JavaText.double(1234567.5) == "1234567.5")
        #expect(JavaText.double(0) == "0.0")
        #expect(JavaText.double(0.001) == "0.001")
    }
}
