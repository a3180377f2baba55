package import Environment
import Primitives

/// Reads and replaces a small checksummed file in one step: a reader sees the old contents or the new, whole.
///
///     file := magic u32 · version u16 · byte count u32 · body · CRC-32C u32 of everything before it
///
/// The format is in docs/formats/manifest.md. The whole file is written anew at every change: a log of changes could
/// not tell its torn tail from a damaged last record, and taking the one for the other would lose files.
package struct ManifestFile: Sendable {
    package let path: String
    private let magic: UInt32
    private let disk: any Disk

    static let version: UInt16 = 1
    /// No manifest of a working node is larger; a file that says so is damaged.
    static let maximumByteCount = 256 << 20
    private static let overheadByteCount = 14

    package init(path: String, magic: UInt32, disk: any Disk) {
        self.path = path
        self.magic = magic
        self.disk = disk
    }

    private var temporaryPath: String { path + ".tmp" }

    private var directory: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return String(path[..<slash])
    }

    /// The body; nil when there is no such file.
    ///
    /// - Throws: `.damaged` when the file is not whole.
    package func read() async throws(StorageError) -> [UInt8]? {
        let bytes: [UInt8]
        do {
            guard case .file(let byteCount)? = try await disk.kind(of: path) else { return nil }
            guard byteCount <= ManifestFile.maximumByteCount else {
                throw StorageError.damaged(file: path, offset: 0, reason: "it is too large to be a manifest")
            }
            let file: any DiskFile = try await disk.open(path, .read)
            do {
                bytes = try await file.read(byteCount, at: 0)
            } catch {
                await file.close()
                throw error
            }
            await file.close()
        } catch let error as StorageError {
            throw error
        } catch let error as DiskError {
            throw StorageError(error)
        } catch {
            throw .closed
        }
        return try body(of: bytes)
    }

    private func body(of bytes: [UInt8]) throws(StorageError) -> [UInt8] {
        do throws(DecodingError) {
            var reader = ByteReader(bytes.span.bytes)
            let storedMagic = try reader.readUInt32()
            guard storedMagic == magic else { throw .invalid(offset: 0, what: "the file does not begin as a manifest") }
            let version = try reader.readUInt16()
            guard version == ManifestFile.version else { throw .invalid(offset: 4, what: "an unknown version") }
            let byteCount = Int(try reader.readUInt32())
            let body = try reader.readArray(byteCount)
            let covered: Int = reader.offset
            let stored = try reader.readUInt32()
            let computed: UInt32 = Checksum.crc32c(bytes.span.bytes.extracting(0..<covered))
            guard stored == computed else {
                throw .checksumMismatch(offset: covered, stored: stored, computed: computed)
            }
            guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after the end") }
            return body
        } catch {
            throw StorageError.damaged(manifest: path, error)
        }
    }

    /// Replaces the contents. When this returns, they are durable; when it throws, the old or the new ones are.
    package func write(_ body: [UInt8]) async throws(StorageError) {
        var writer = ByteWriter(capacity: body.count + ManifestFile.overheadByteCount)
        writer.write(magic)
        writer.write(ManifestFile.version)
        writer.write(UInt32(truncatingIfNeeded: body.count))
        writer.write(body)
        writer.write(Checksum.crc32c(writer.span))
        let bytes: [UInt8] = writer.array()
        do throws(DiskError) {
            if try await disk.kind(of: temporaryPath) != nil { try await disk.remove(temporaryPath) }
            try await fill(bytes)
            try await disk.rename(temporaryPath, to: path)
            try await disk.syncDirectory(directory)
        } catch {
            throw StorageError(error)
        }
    }

    private func fill(_ bytes: [UInt8]) async throws(DiskError) {
        let file: any DiskFile = try await disk.open(temporaryPath, .create)
        do throws(DiskError) {
            try await file.write(bytes, at: 0)
            try await file.sync()
        } catch {
            await file.close()
            throw error
        }
        await file.close()
    }
}

extension StorageError {
    /// A manifest whose bytes cannot be what was written.
    static func damaged(manifest path: String, _ error: DecodingError) -> StorageError {
        switch error {
        case .truncated(let offset, _): .damaged(file: path, offset: offset, reason: "the file ends too early")
        case .checksumMismatch(let offset, _, _):
            .damaged(file: path, offset: offset, reason: "the checksum does not match")
        case .invalid(let offset, let what): .damaged(file: path, offset: offset, reason: what.description)
        }
    }
}
