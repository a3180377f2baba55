package import DataModel
package import Environment
internal import Primitives

extension SSTable {
    /// How much of the end of a file is read at once: for most files everything that opening needs.
    private static let tailByteCount: Int = 64 * 1_024

    /// Opens a finished file and reads what stays in memory.
    ///
    /// - Parameter clip: the tokens that are to be seen.
    /// - Throws: `.damaged` when any of that is not what was written.
    package static func open(
        path: String, disk: any Disk, clip: ClosedRange<Token> = Token.minimum...Token.maximum
    ) async throws(StorageError) -> SSTable {
        let file: any DiskFile
        do throws(DiskError) {
            file = try await disk.open(path, .read)
        } catch {
            throw StorageError(error)
        }
        do throws(StorageError) {
            return try await open(path: path, file: file, clip: clip)
        } catch {
            await file.close()
            throw error
        }
    }

    private static func open(
        path: String, file: any DiskFile, clip: ClosedRange<Token>
    ) async throws(StorageError) -> SSTable {
        let parts: SSTableParts = try await SSTableParts(path: path, file: file, tailByteCount: tailByteCount)
        let footer: SSTableFooter = parts.footer
        let statisticsBytes: [UInt8] = try await parts.read(footer.statistics)
        let statistics: SSTableStatistics
        do throws(DecodingError) {
            statistics = try SSTableStatistics(statisticsBytes.span.bytes)
        } catch {
            throw .damaged(file: path, offset: footer.statistics.offset, reason: "the statistics make no sense")
        }
        var filter: PartitionFilter?
        if let location = footer.filter {
            let bytes: [UInt8] = try await parts.read(location)
            filter = bytes.withUnsafeBytes { PartitionFilter($0) }
            if filter == nil {
                throw .damaged(file: path, offset: location.offset, reason: "the filter makes no sense")
            }
        }
        let rows = BlockTree(root: try await parts.readBlock(footer.dataRoot), height: footer.dataHeight)
        var deletions: BlockTree?
        if let root = footer.deletionsRoot {
            deletions = BlockTree(root: try await parts.readBlock(root), height: footer.deletionsHeight)
        }
        return SSTable(
            path: path, file: file, clip: clip, statistics: statistics, rows: rows, deletions: deletions,
            filter: filter)
    }
}

/// Reads the parts at the end of a file, mostly out of one read.
private struct SSTableParts {
    let path: String
    let file: any DiskFile
    let footer: SSTableFooter
    private let tail: [UInt8]
    private let tailOffset: Int
    private let decompressor = BlockDecompressor()

    init(path: String, file: any DiskFile, tailByteCount: Int) async throws(StorageError) {
        self.path = path
        self.file = file
        let size: Int = file.byteCount
        let offset: Int = max(0, size - tailByteCount)
        do throws(DiskError) {
            tail = try await file.read(size - offset, at: offset)
        } catch {
            throw StorageError(error)
        }
        tailOffset = offset
        do throws(BlockDamage) {
            guard tail.count == size - offset else {
                throw BlockDamage(offset: size, reason: "the file is shorter than it says")
            }
            footer = try SSTableFooter(
                [UInt8](tail.suffix(SSTableFooter.byteCount)), at: size - SSTableFooter.byteCount)
        } catch {
            throw .damaged(file: path, offset: max(0, error.offset), reason: error.reason)
        }
    }

    /// The contents of a part.
    func read(_ location: BlockLocation) async throws(StorageError) -> [UInt8] {
        let memory: UnsafeMutableRawBufferPointer = try await open(location)
        defer { memory.deallocate() }
        return [UInt8](memory)
    }

    func readBlock(_ location: BlockLocation) async throws(StorageError) -> Block {
        let memory: UnsafeMutableRawBufferPointer = try await open(location)
        do throws(BlockDamage) {
            return try Block(adopting: memory, at: location.offset)
        } catch {
            throw .damaged(file: path, offset: error.offset, reason: error.reason)
        }
    }

    private func open(_ location: BlockLocation) async throws(StorageError) -> UnsafeMutableRawBufferPointer {
        let end: Int = file.byteCount - SSTableFooter.byteCount
        guard location.storedByteCount <= end, location.offset <= end - location.storedByteCount else {
            throw .damaged(file: path, offset: location.offset, reason: "the footer points outside the file")
        }
        let stored: [UInt8]
        if location.offset >= tailOffset {
            let start: Int = location.offset - tailOffset
            stored = [UInt8](tail[start..<(start + location.storedByteCount)])
        } else {
            do throws(DiskError) {
                stored = try await file.read(location.storedByteCount, at: location.offset)
            } catch {
                throw StorageError(error)
            }
        }
        return try open(stored, at: location)
    }

    private func open(
        _ stored: [UInt8], at location: BlockLocation
    ) throws(StorageError) -> UnsafeMutableRawBufferPointer {
        do throws(BlockDamage) {
            return try stored.span.bytes.withUnsafeBytes { (bytes) throws(BlockDamage) in
                try BlockEnvelope.open(bytes, at: location.offset, decompressor: decompressor)
            }
        } catch {
            throw .damaged(file: path, offset: error.offset, reason: error.reason)
        }
    }
}
