package import DataModel
package import Environment
internal import Primitives

/// Keeps the schema over restarts: what `save` returned for is what `load` finds.
///
/// Owned by whoever applies changes of the schema. One change is saved at a time; the caller keeps the order, since
/// only it knows which schema follows which.
package actor SchemaFile {
    private static let fileName = "schema"
    /// `MLSC`.
    private static let magic: UInt32 = 0x4D4C_5343

    private let record: DurableRecord
    private var isSaving = false

    /// - Parameter directory: where the file is kept; made when it does not exist.
    package init(disk: any Disk, directory: String) {
        self.record = DurableRecord(
            disk: disk, directory: directory, name: SchemaFile.fileName, magic: SchemaFile.magic)
    }

    /// The schema that was saved last; nil on the first start.
    package func load() async throws(MetadataError) -> Schema? {
        guard let payload = try await record.load() else { return nil }
        do throws(DecodingError) {
            return try SchemaCodec.decode(payload.span.bytes)
        } catch {
            throw .damaged(path: record.path, reason: "\(error)")
        }
    }

    /// Makes a schema durable. When this throws, the one before it is still there.
    package func save(_ schema: Schema) async throws(MetadataError) {
        require(!isSaving, "one change of the schema is saved at a time")
        isSaving = true
        defer { isSaving = false }
        try await record.store(SchemaCodec.encode(schema))
    }
}
