package import Environment
internal import Primitives

/// A small file that is replaced as a whole and is on the disk when `store` returns.
///
///     magic 4 │ payload length 4 │ payload │ CRC-32C of everything before it 4
///
/// The new contents are written beside the old ones, made durable, and take their name in one step: whenever the
/// machine stops, the name leads to the old contents or to the new ones. The contents before keep a name of their
/// own, for people who have to repair a node by hand; nothing here reads them.
package struct DurableRecord: Sendable {
    /// The largest payload. Far beyond any schema, it keeps a damaged length from reserving memory.
    static let maximumByteCount = 256 << 20
    private static let frameByteCount = 12

    let disk: any Disk
    let directory: String
    let name: String
    /// Tells the kinds of files apart.
    let magic: UInt32

    package init(disk: any Disk, directory: String, name: String, magic: UInt32) {
        self.disk = disk
        self.directory = directory
        self.name = name
        self.magic = magic
    }

    package var path: String { "\(directory)/\(name)" }
    private var temporaryPath: String { path + ".new" }
    private var previousPath: String { path + ".previous" }

    /// The payload; nil when there has never been one.
    package func load() async throws(MetadataError) -> [UInt8]? {
        let bytes: [UInt8]
        do throws(DiskError) {
            guard try await disk.kind(of: path) != nil else { return nil }
            let file = try await disk.open(path, .read)
            let byteCount: Int = file.byteCount
            guard byteCount <= DurableRecord.maximumByteCount + DurableRecord.frameByteCount else {
                await file.close()
                throw DiskError.failed(path: path, code: 0, reason: "The file is larger than any that is written")
            }
            bytes = try await readAll(file, byteCount)
        } catch {
            throw .disk(error)
        }
        return try payload(of: bytes)
    }

    /// Replaces the contents; they are durable when this returns.
    package func store(_ payload: [UInt8]) async throws(MetadataError) {
        require(payload.count <= DurableRecord.maximumByteCount, "a record has a bounded size")
        var writer = ByteWriter(capacity: payload.count + DurableRecord.frameByteCount)
        writer.write(magic)
        writer.write(UInt32(truncatingIfNeeded: payload.count))
        writer.write(payload)
        let checksum: UInt32 = Checksum.crc32c(writer.span)
        writer.write(checksum)
        let bytes: [UInt8] = writer.array()
        do throws(DiskError) {
            if try await disk.kind(of: directory) == nil { try await makeDirectory() }
            try await removeIfPresent(temporaryPath)
            let file = try await disk.open(temporaryPath, .create)
            do throws(DiskError) {
                try await file.write(bytes, at: 0)
                try await file.sync()
            } catch {
                await file.close()
                throw error
            }
            await file.close()
            if try await disk.kind(of: path) != nil {
                try await removeIfPresent(previousPath)
                try await disk.link(path, to: previousPath)
            }
            try await disk.rename(temporaryPath, to: path)
            try await disk.syncDirectory(directory)
        } catch {
            throw .disk(error)
        }
    }

    /// Makes the folder, durable itself: otherwise it could vanish in a loss of power with everything in it.
    private func makeDirectory() async throws(DiskError) {
        try await disk.createDirectory(directory)
        var folders: [String] = []
        var rest: Substring = directory[...]
        while let slash = rest.lastIndex(of: "/"), rest.count > 1 {
            rest = rest[..<slash]
            folders.append(rest.isEmpty ? "/" : String(rest))
        }
        if !directory.hasPrefix("/") { folders.append(".") }
        for folder in folders {
            do throws(DiskError) { try await disk.syncDirectory(folder) } catch {
                // The folders far above may be closed to this process; then it has not made them.
                return
            }
        }
    }

    private func readAll(_ file: any DiskFile, _ byteCount: Int) async throws(DiskError) -> [UInt8] {
        do throws(DiskError) {
            let bytes: [UInt8] = try await file.read(byteCount, at: 0)
            await file.close()
            return bytes
        } catch {
            await file.close()
            throw error
        }
    }

    private func removeIfPresent(_ path: String) async throws(DiskError) {
        if try await disk.kind(of: path) != nil { try await disk.remove(path) }
    }

    private func payload(of bytes: [UInt8]) throws(MetadataError) -> [UInt8] {
        do throws(DecodingError) {
            var reader = ByteReader(bytes.span.bytes)
            guard try reader.readUInt32() == magic else { throw .invalid(offset: 0, what: "it is of another kind") }
            let byteCount = Int(try reader.readUInt32())
            let payload = try reader.readArray(byteCount)
            let computed: UInt32 = Checksum.crc32c(bytes.span.bytes.extracting(first: reader.offset))
            let stored = try reader.readUInt32()
            guard stored == computed else {
                throw .checksumMismatch(offset: reader.offset, stored: stored, computed: computed)
            }
            guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes follow its end") }
            return payload
        } catch {
            throw .damaged(path: path, reason: "\(error)")
        }
    }
}
