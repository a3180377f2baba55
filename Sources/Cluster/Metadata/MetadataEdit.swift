package import Primitives

/// One entry of the metadata log: what leads from the value of one epoch to the next.
///
/// Made by comparing two values, so that applying it needs no rules: puts and deletes of keys.
package struct MetadataEdit: Hashable, Sendable {
    package struct Change: Hashable, Sendable {
        package let key: String
        /// Nil removes the key.
        package let value: [UInt8]?

        package init(key: String, value: [UInt8]?) {
            self.key = key
            self.value = value
        }
    }

    /// The epoch that it leads to.
    package let epoch: UInt64
    /// Tells proposals of the same content apart, so that whoever proposed one knows whether it was his.
    package let id: UUID
    /// Ascending by key, each once.
    package let changes: [Change]

    /// The most bytes of an encoded edit.
    package static let maximumByteCount = 48 << 20

    package init(from before: ClusterMetadata, to after: ClusterMetadata, id: UUID) {
        self.epoch = before.epoch &+ 1
        self.id = id
        self.changes = MetadataEntries(before).changes(to: MetadataEntries(after))
    }

    package init(epoch: UInt64, id: UUID, changes: [Change]) {
        self.epoch = epoch
        self.id = id
        self.changes = changes
    }

    package var isEmpty: Bool { changes.isEmpty }

    /// About how much memory it takes.
    var byteCount: Int { changes.reduce(64) { $0 + $1.key.utf8.count + ($1.value?.count ?? 0) + 32 } }
}

/// The binary forms of edits and of whole values.
///
///     edit      version 1 │ epoch 8 │ id 16 │ changes: count, then each │ CRC-32C 4
///     change    key: length, UTF-8 │ 0: removed, or 1 and the value: length, bytes
///     snapshot  version 1 │ epoch 8 │ entries: count, each key and value as above │ CRC-32C 4
package enum MetadataCodec {
    private static let version: UInt8 = 1

    package static func encode(_ edit: MetadataEdit) -> [UInt8] {
        var writer = ByteWriter(capacity: 1_024)
        writer.write(version)
        writer.write(edit.epoch)
        writer.write(edit.id.bytes)
        writer.writeLength(edit.changes.count)
        for change in edit.changes {
            writer.writeText(change.key)
            writer.write(change.value == nil ? 0 as UInt8 : 1)
            if let value = change.value {
                writer.writeLength(value.count)
                writer.write(value)
            }
        }
        return sealed(&writer)
    }

    package static func decodeEdit(_ bytes: [UInt8]) throws(DecodingError) -> MetadataEdit {
        let body: [UInt8] = try opened(bytes, limit: MetadataEdit.maximumByteCount)
        let span: RawSpan = body.span.bytes
        var reader = ByteReader(span)
        try checkVersion(&reader)
        let epoch: UInt64 = try reader.readUInt64()
        let id: UUID = try reader.readUUID()
        let count: Int = try reader.readCount(ofAtLeast: 2, limit: MetadataEntries.maximumEntryCount)
        var changes: [MetadataEdit.Change] = []
        for _ in 0..<count {
            let key: String = try reader.readText(limit: MetadataEntries.maximumKeyByteCount)
            if let last = changes.last, !MetadataEntries.precedes(last.key, key) {
                throw .invalid(offset: reader.offset, what: "keys of an edit out of order")
            }
            var value: [UInt8]?
            switch try reader.readUInt8() {
            case 0: break
            case 1: value = try readValue(&reader)
            default: throw .invalid(offset: reader.offset, what: "an unknown kind of change")
            }
            changes.append(MetadataEdit.Change(key: key, value: value))
        }
        try reader.end()
        return MetadataEdit(epoch: epoch, id: id, changes: changes)
    }

    package static func encode(_ metadata: ClusterMetadata) -> [UInt8] {
        let entries = MetadataEntries(metadata)
        var writer = ByteWriter(capacity: 4_096)
        writer.write(version)
        writer.write(metadata.epoch)
        writer.writeLength(entries.entries.count)
        for (key, value) in entries.entries {
            writer.writeText(key)
            writer.writeLength(value.count)
            writer.write(value)
        }
        return sealed(&writer)
    }

    package static func decodeMetadata(_ bytes: [UInt8]) throws(DecodingError) -> ClusterMetadata {
        let body: [UInt8] = try opened(bytes, limit: MetadataEntries.maximumByteCount)
        let span: RawSpan = body.span.bytes
        var reader = ByteReader(span)
        try checkVersion(&reader)
        let epoch: UInt64 = try reader.readUInt64()
        guard epoch > 0 else { throw .invalid(offset: 1, what: "metadata before the first epoch") }
        let count: Int = try reader.readCount(ofAtLeast: 2, limit: MetadataEntries.maximumEntryCount)
        var entries = MetadataEntries()
        for _ in 0..<count {
            let key: String = try reader.readText(limit: MetadataEntries.maximumKeyByteCount)
            try entries.append(key, try readValue(&reader))
        }
        try reader.end()
        return try entries.metadata(epoch: epoch)
    }

    private static func readValue(_ reader: inout ByteReader) throws(DecodingError) -> [UInt8] {
        let byteCount: Int = try reader.readLength()
        guard byteCount <= MetadataEntries.maximumValueByteCount else {
            throw .invalid(offset: reader.offset, what: "a value that is too long")
        }
        return try reader.readArray(byteCount)
    }

    private static func checkVersion(_ reader: inout ByteReader) throws(DecodingError) {
        guard try reader.readUInt8() == version else {
            throw .invalid(offset: 0, what: "an unknown version of the metadata")
        }
    }

    private static func sealed(_ writer: inout ByteWriter) -> [UInt8] {
        writer.write(Checksum.crc32c(writer.span))
        return writer.array()
    }

    /// The bytes before the checksum.
    private static func opened(_ bytes: [UInt8], limit: Int) throws(DecodingError) -> [UInt8] {
        guard bytes.count >= 4 else { throw .truncated(offset: 0, missing: 4 - bytes.count) }
        guard bytes.count <= limit else { throw .invalid(offset: 0, what: "more metadata than is read") }
        let end: Int = bytes.count - 4
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span.extracting(end..<bytes.count))
        let stored: UInt32 = try reader.readUInt32()
        let computed: UInt32 = Checksum.crc32c(span.extracting(0..<end))
        guard stored == computed else {
            throw .checksumMismatch(offset: end, stored: stored, computed: computed)
        }
        return Array(bytes[..<end])
    }
}
