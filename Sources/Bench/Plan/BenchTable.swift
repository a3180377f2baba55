import CQL
import Primitives

/// The table that is read and written: a key of 16 bytes and a number of columns with bytes.
struct BenchTable: Sendable {
    let keyspace: String
    let columns: Int
    let valueByteCount: Int
    let replicationFactor: Int

    init(_ plan: BenchPlan) {
        self.keyspace = plan.keyspace
        self.columns = plan.columns
        self.valueByteCount = plan.valueByteCount
        self.replicationFactor = plan.replicationFactor
    }

    /// Tables of different widths are different tables, so that runs with other columns do not disturb each other.
    var name: String { "\"\(keyspace)\".kv\(columns)" }

    var createKeyspace: String {
        "CREATE KEYSPACE IF NOT EXISTS \"\(keyspace)\" WITH replication = "
            + "{'class': 'SimpleStrategy', 'replication_factor': \(replicationFactor)}"
    }

    var createTable: String {
        let definitions: [String] = columnNames.map { "\($0) blob" }
        return "CREATE TABLE IF NOT EXISTS \(name) (key blob PRIMARY KEY, \(definitions.joined(separator: ", ")))"
    }

    var insert: String {
        let markers: [String] = [String](repeating: "?", count: columns + 1)
        let names: String = columnNames.joined(separator: ", ")
        return "INSERT INTO \(name) (key, \(names)) VALUES (\(markers.joined(separator: ", ")))"
    }

    var select: String {
        "SELECT \(columnNames.joined(separator: ", ")) FROM \(name) WHERE key = ?"
    }

    private var columnNames: [String] { (0..<columns).map { "c\($0)" } }
}

/// Writes the values of requests: keys from row numbers, and random bytes that were drawn once.
///
/// Hot: once for every request; nothing is allocated.
struct ValueSource: Sendable {
    private static let poolByteCount = 64 * 1_024
    private let pool: [UInt8]
    private let columns: Int
    private let valueByteCount: Int

    init(_ table: BenchTable, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        self.pool = generator.bytes(ValueSource.poolByteCount + table.valueByteCount)
        self.columns = table.columns
        self.valueByteCount = table.valueByteCount
    }

    /// Appends the key of a row. Its first half spreads neighbouring rows, as keys of real data are.
    func writeKey(_ row: UInt64, to writer: inout ByteWriter) {
        var mixed: UInt64 = row &* 0x9E37_79B9_7F4A_7C15
        mixed ^= mixed >> 29
        writer.write(UInt32(16))
        writer.write(mixed)
        writer.write(row)
    }

    /// Appends a value for each column; `noise` chooses which bytes.
    func writeColumns(_ noise: UInt64, to writer: inout ByteWriter) {
        pool.withUnsafeBytes { bytes in
            var place: UInt64 = noise
            for _ in 0..<columns {
                let offset = Int(truncatingIfNeeded: place & UInt64(ValueSource.poolByteCount - 1))
                writer.writeValue(UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + valueByteCount)]))
                place = place << 11 | place >> 53
            }
        }
    }
}
