import DataModel
import Primitives

/// Cluster metadata as an ordered map from keys to bytes, which is what edits change and what snapshots hold.
///
///     cluster                 id 16 │ name
///     voters                  count, ids of 16
///     schema                  epoch 8 │ version 16
///     placement               epoch 8; missing when it is 0
///     member/ID               MetadataEntries.encode(Member)
///     change/ID               RingChangeCodec
///     keyspace/KEYSPACE       the definition alone (SchemaCodec)
///     type/KEYSPACE/NAME      nesting 2 │ the type (SchemaCodec)
///     table/KEYSPACE/NAME     the table (SchemaCodec)
///
/// Whether a map is metadata shows when it is read: every part must be there, must be what its key says, and must fit
/// the others.
struct MetadataEntries: Hashable, Sendable {
    /// Ascending by key, bytewise; each key once.
    private(set) var entries: [(key: String, value: [UInt8])] = []

    /// Limits for what comes from outside.
    static let maximumEntryCount = 1_000_000
    static let maximumKeyByteCount = 1_024
    static let maximumValueByteCount = 16 << 20
    static let maximumByteCount = 48 << 20

    static func == (left: MetadataEntries, right: MetadataEntries) -> Bool {
        left.entries.elementsEqual(right.entries) { $0.key == $1.key && $0.value == $1.value }
    }

    func hash(into hasher: inout Hasher) {
        for entry in entries {
            hasher.combine(entry.key)
            hasher.combine(entry.value)
        }
    }

    init() {}

    init(_ metadata: ClusterMetadata) {
        var writer = ByteWriter()
        writer.write(metadata.clusterID.bytes)
        writer.writeText(metadata.clusterName)
        var entries: [(key: String, value: [UInt8])] = [("cluster", writer.array())]
        writer.removeAll()
        writer.writeLength(metadata.voters.count)
        for voter in metadata.voters { writer.write(voter.uuid.bytes) }
        entries.append(("voters", writer.array()))
        writer.removeAll()
        writer.write(metadata.schema.epoch)
        writer.write(metadata.schema.version.bytes)
        entries.append(("schema", writer.array()))
        if metadata.placementEpoch > 0 {
            writer.removeAll()
            writer.write(metadata.placementEpoch)
            entries.append(("placement", writer.array()))
        }
        for member in metadata.members { entries.append(("member/\(member.id)", MemberCodec.encode(member))) }
        for change in metadata.changes { entries.append(("change/\(change.id)", RingChangeCodec.encode(change))) }
        for keyspace in metadata.schema.keyspaces.values {
            entries.append(("keyspace/\(keyspace.name)", SchemaCodec.encodeDefinition(of: keyspace)))
            let nesting: [String: Int] = keyspace.typeNesting
            for type in keyspace.types.values {
                writer.removeAll()
                writer.write(UInt16(clamping: nesting[type.name] ?? 0))
                writer.write(SchemaCodec.encode(type))
                entries.append(("type/\(keyspace.name)/\(type.name)", writer.array()))
            }
            for table in keyspace.tables.values {
                entries.append(("table/\(keyspace.name)/\(table.name)", SchemaCodec.encode(table)))
            }
        }
        self.entries = entries.sorted { MetadataEntries.precedes($0.key, $1.key) }
    }

    static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    /// Adds an entry after all others.
    ///
    /// - Throws: when its key is not larger than the last one.
    mutating func append(_ key: String, _ value: [UInt8]) throws(DecodingError) {
        if let last = entries.last, !MetadataEntries.precedes(last.key, key) {
            throw .invalid(offset: 0, what: "keys of metadata out of order")
        }
        entries.append((key, value))
    }

    mutating func apply(_ edit: MetadataEdit) {
        var merged: [(key: String, value: [UInt8])] = []
        merged.reserveCapacity(entries.count + edit.changes.count)
        var index = 0
        for change in edit.changes {
            while index < entries.count, MetadataEntries.precedes(entries[index].key, change.key) {
                merged.append(entries[index])
                index += 1
            }
            if index < entries.count, entries[index].key == change.key { index += 1 }
            if let value = change.value { merged.append((change.key, value)) }
        }
        merged.append(contentsOf: entries[index...])
        entries = merged
    }

    /// What must change to make `other` of this.
    func changes(to other: MetadataEntries) -> [MetadataEdit.Change] {
        var changes: [MetadataEdit.Change] = []
        var left = 0
        var right = 0
        while left < entries.count || right < other.entries.count {
            let old = left < entries.count ? entries[left] : nil
            let new = right < other.entries.count ? other.entries[right] : nil
            if let old, let new, old.key == new.key {
                if old.value != new.value { changes.append(.init(key: new.key, value: new.value)) }
                left += 1
                right += 1
            } else if let old, new.map({ MetadataEntries.precedes(old.key, $0.key) }) ?? true {
                changes.append(.init(key: old.key, value: nil))
                left += 1
            } else if let new {
                changes.append(.init(key: new.key, value: new.value))
                right += 1
            }
        }
        return changes
    }
}

extension ByteWriter {
    /// A length and the UTF-8 of a string.
    mutating func writeText(_ text: String) {
        writeLength(text.utf8.count)
        writeUTF8(text)
    }
}

extension ByteReader {
    /// What `writeText` wrote, of at most `limit` bytes.
    mutating func readText(limit: Int) throws(DecodingError) -> String {
        let start: Int = offset
        let byteCount: Int = try readLength()
        guard byteCount <= limit else { throw .invalid(offset: start, what: "a text that is too long") }
        let bytes: [UInt8] = try readArray(byteCount)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .invalid(offset: start, what: "a text that is not UTF-8")
        }
        return text
    }

    mutating func readUUID() throws(DecodingError) -> UUID {
        let high: UInt64 = try readUInt64()
        return UUID(high: high, low: try readUInt64())
    }

    /// A number of things, each of at least `byteCount` bytes.
    mutating func readCount(ofAtLeast byteCount: Int, limit: Int) throws(DecodingError) -> Int {
        let start: Int = offset
        let count: Int = try readLength()
        guard count <= limit, count <= remaining / max(1, byteCount) else {
            throw .invalid(offset: start, what: "more things than bytes")
        }
        return count
    }

    func end() throws(DecodingError) {
        guard isAtEnd else { throw .invalid(offset: offset, what: "bytes after the end") }
    }
}
