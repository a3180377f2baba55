import Environment
import Primitives

/// The files that hold a node's metadata (docs/formats/metadata.md).
///
///     cluster                  the value at some epoch
///     edit-00000000000000000017  what led to epoch 17; one file for each epoch since then
///     acceptor                 what this node has promised and accepted as a voter
///
/// Each is replaced as a whole and durable when a method returns, so that after a crash each is there entirely or not
/// at all, and damage is never taken for a torn end.
struct MetadataStore: Sendable {
    /// `MLCM`, `MLED`, `MLAC`.
    private static let clusterMagic: UInt32 = 0x4D4C_434D
    private static let editMagic: UInt32 = 0x4D4C_4544
    private static let acceptorMagic: UInt32 = 0x4D4C_4143
    private static let editPrefix = "edit-"
    private static let digitCount = 20
    private static let acceptorVersion: UInt8 = 1

    let disk: any Disk
    let directory: String

    /// What a node knew when it stopped.
    struct Saved: Sendable {
        var metadata: ClusterMetadata
        /// Those that led to it since the snapshot, ascending.
        var edits: [MetadataEdit]
        var acceptor: EpochAcceptor
    }

    private var cluster: DurableRecord {
        DurableRecord(disk: disk, directory: directory, name: "cluster", magic: MetadataStore.clusterMagic)
    }

    private var acceptor: DurableRecord {
        DurableRecord(disk: disk, directory: directory, name: "acceptor", magic: MetadataStore.acceptorMagic)
    }

    private func edit(_ epoch: UInt64) -> DurableRecord {
        let digits = String(epoch)
        let zeros = String(repeating: "0", count: max(0, MetadataStore.digitCount - digits.count))
        let name: String = MetadataStore.editPrefix + zeros + digits
        return DurableRecord(disk: disk, directory: directory, name: name, magic: MetadataStore.editMagic)
    }

    /// - Returns: nil when the node has never belonged to a cluster.
    func load() async throws(MetadataError) -> Saved? {
        guard let payload = try await cluster.load() else { return nil }
        var metadata: ClusterMetadata = try decoded(cluster.path) { () throws(DecodingError) in
            try MetadataCodec.decodeMetadata(payload)
        }
        var edits: [MetadataEdit] = []
        for epoch in try await savedEpochs() {
            let record: DurableRecord = edit(epoch)
            // What the snapshot holds was to be removed when the node stopped.
            if epoch <= metadata.epoch { continue }
            guard epoch == metadata.epoch + 1, let bytes = try await record.load() else {
                throw .damaged(path: edit(metadata.epoch + 1).path, reason: "It is missing")
            }
            let edit: MetadataEdit = try decoded(record.path) { () throws(DecodingError) in
                try MetadataCodec.decodeEdit(bytes)
            }
            let before: ClusterMetadata = metadata
            metadata = try decoded(record.path) { () throws(DecodingError) in try before.applying(edit) }
            edits.append(edit)
        }
        var acceptor: EpochAcceptor = try await loadAcceptor() ?? EpochAcceptor(epoch: metadata.epoch + 1)
        acceptor.decided(metadata.epoch)
        return Saved(metadata: metadata, edits: edits, acceptor: acceptor)
    }

    func save(_ edit: MetadataEdit) async throws(MetadataError) {
        try await self.edit(edit.epoch).store(MetadataCodec.encode(edit))
    }

    /// Keeps a whole value and removes the edits that led to it.
    func save(_ metadata: ClusterMetadata) async throws(MetadataError) {
        try await cluster.store(MetadataCodec.encode(metadata))
        for epoch in try await savedEpochs() where epoch <= metadata.epoch {
            do throws(DiskError) { try await disk.remove(edit(epoch).path) } catch { throw .disk(error) }
        }
    }

    func save(_ state: EpochAcceptor) async throws(MetadataError) {
        var writer = ByteWriter()
        writer.write(MetadataStore.acceptorVersion)
        writer.write(state.epoch)
        state.promised.write(to: &writer)
        writer.write(state.accepted == nil ? 0 as UInt8 : 1)
        if let accepted = state.accepted { MetadataMessages.write(accepted, to: &writer) }
        try await acceptor.store(writer.array())
    }

    private func loadAcceptor() async throws(MetadataError) -> EpochAcceptor? {
        guard let payload = try await acceptor.load() else { return nil }
        return try decoded(acceptor.path) { () throws(DecodingError) in
            let span: RawSpan = payload.span.bytes
            var reader = ByteReader(span)
            guard try reader.readUInt8() == MetadataStore.acceptorVersion else {
                throw DecodingError.invalid(offset: 0, what: "its version is unknown")
            }
            let epoch: UInt64 = try reader.readUInt64()
            let promised = try MetadataBallot.read(&reader)
            let accepted: AcceptedEdit? = try reader.readUInt8() == 0 ? nil : MetadataMessages.readProposal(&reader)
            try reader.end()
            return EpochAcceptor(epoch: epoch, promised: promised, accepted: accepted)
        }
    }

    /// The epochs of the files of edits, ascending.
    private func savedEpochs() async throws(MetadataError) -> [UInt64] {
        do throws(DiskError) {
            let names: [String] = try await disk.list(directory)
            return names.compactMap { name in
                guard name.hasPrefix(MetadataStore.editPrefix) else { return nil }
                let digits: Substring = name.dropFirst(MetadataStore.editPrefix.count)
                return digits.utf8.count == MetadataStore.digitCount ? UInt64(digits) : nil
            }.sorted()
        } catch {
            throw .disk(error)
        }
    }

    private func decoded<Value>(
        _ path: String, _ body: () throws(DecodingError) -> Value
    ) throws(MetadataError) -> Value {
        do throws(DecodingError) { return try body() } catch { throw .damaged(path: path, reason: "\(error)") }
    }
}
