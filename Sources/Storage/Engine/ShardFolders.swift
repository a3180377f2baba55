import DataModel
import Environment
import Primitives

/// The folders of a node's shards: made at the first start, cut anew when the number of shards changed, and cleared of
/// what crashes left behind.
///
///     data/layout                      which folders are current
///     data/shards-1/0/manifest         what is live in shard 0
///     data/shards-1/0/17.sst
struct ShardFolders {
    let disk: any Disk
    let dataDirectory: String

    private var layoutFile: ManifestFile {
        ManifestFile(path: dataDirectory + "/" + ShardLayout.fileName, magic: ShardLayout.magic, disk: disk)
    }

    func folder(of shard: Int, in layout: ShardLayout) -> String {
        dataDirectory + "/" + layout.shardFolder(shard)
    }

    private func manifestFile(_ folder: String) -> ManifestFile {
        ManifestFile(path: folder + "/manifest", magic: ShardManifest.magic, disk: disk)
    }

    // MARK: Opening

    /// Brings the folders into a state for `shardCount` shards and reads their manifests.
    func open(shardCount: Int) async throws(StorageError) -> (layout: ShardLayout, manifests: [ShardManifest]) {
        var layout: ShardLayout
        if let known = try await readLayout() {
            layout = known
        } else {
            layout = try await makeFirstLayout(shardCount)
        }
        try await removeOtherLayouts(than: layout)
        var manifests: [ShardManifest] = []
        for shard in 0..<layout.shardCount {
            manifests.append(try await openFolder(folder(of: shard, in: layout), shard: shard))
        }
        if layout.shardCount != shardCount {
            (layout, manifests) = try await reslice(layout, manifests, shardCount: shardCount)
            try await removeOtherLayouts(than: layout)
        }
        return (layout, manifests)
    }

    private func readLayout() async throws(StorageError) -> ShardLayout? {
        guard let bytes = try await layoutFile.read() else { return nil }
        do throws(DecodingError) {
            return try ShardLayout(decoding: bytes)
        } catch {
            throw .damaged(manifest: layoutFile.path, error)
        }
    }

    private func makeFirstLayout(_ shardCount: Int) async throws(StorageError) -> ShardLayout {
        for name in try await layoutFolders() {
            let folder: String = dataDirectory + "/" + name
            if try await holdsTables(folder) {
                throw .damaged(
                    file: layoutFile.path, offset: 0, reason: "it is missing, and there are SSTables below \(folder)")
            }
            try await removeTree(folder)
        }
        let layout = ShardLayout(number: 1, shardCount: shardCount)
        try await makeFolders(of: layout)
        try await layoutFile.write(layout.encoded())
        return layout
    }

    private func makeFolders(of layout: ShardLayout) async throws(StorageError) {
        do throws(DiskError) {
            for shard in 0..<layout.shardCount { try await disk.createDirectory(folder(of: shard, in: layout)) }
            try await disk.syncDirectory(dataDirectory + "/" + layout.folderName)
            try await disk.syncDirectory(dataDirectory)
        } catch {
            throw StorageError(error)
        }
    }

    /// Reads a shard's manifest and removes the files that it does not list.
    private func openFolder(_ folder: String, shard: Int) async throws(StorageError) -> ShardManifest {
        do throws(DiskError) {
            try await disk.createDirectory(folder)
        } catch {
            throw StorageError(error)
        }
        guard let manifest = try await readManifest(folder) else {
            if try await holdsTables(folder) {
                throw .damaged(
                    file: folder + "/manifest", offset: 0, reason: "it is missing, and there are SSTables beside it")
            }
            return ShardManifest(shard: shard)
        }
        var listed: Set<UInt64> = []
        for table in manifest.tables { listed.formUnion(table.files.map(\.generation)) }
        let hashes: String? = manifest.hashSave.map { HashTreeFile.name($0.number) }
        do throws(DiskError) {
            for name in try await disk.list(folder) where name != "manifest" && name != hashes {
                if let generation = SSTableName.generation(of: name), listed.contains(generation) { continue }
                try await disk.remove(folder + "/" + name)
            }
        } catch {
            throw StorageError(error)
        }
        return manifest
    }

    /// Nil when the shard has never had a file: its manifest is made before the first one.
    private func readManifest(_ folder: String) async throws(StorageError) -> ShardManifest? {
        guard let bytes = try await manifestFile(folder).read() else { return nil }
        do throws(DecodingError) {
            return try ShardManifest(decoding: bytes)
        } catch {
            throw .damaged(manifest: folder + "/manifest", error)
        }
    }

    // MARK: Another number of shards

    /// Fills the folders of a new layout with links to the files of the old one, and makes it the current one.
    ///
    /// A file goes to every shard that owns some of its tokens, and each sees its own only. Until the layout file is
    /// replaced nothing that counts has changed, so a crash before that is harmless, and one after it too.
    private func reslice(
        _ old: ShardLayout, _ manifests: [ShardManifest], shardCount: Int
    ) async throws(StorageError) -> (layout: ShardLayout, manifests: [ShardManifest]) {
        let layout = ShardLayout(
            number: old.number &+ 1, shardCount: shardCount, inherited: old.inherited(adding: manifests))
        try await makeFolders(of: layout)
        let slices = ShardSlices(count: shardCount)
        var next: [ShardManifest] = (0..<shardCount).map { ShardManifest(shard: $0) }
        for manifest in manifests {
            let source: String = folder(of: manifest.shard, in: old)
            for table in manifest.tables {
                for shard in next.indices {
                    next[shard].change(table.id) { $0.isDropped = $0.isDropped || table.isDropped }
                }
                for file in table.files {
                    try await link(file, of: table.id, from: source, into: &next, layout, slices)
                }
            }
        }
        for shard in next.indices {
            // Writing the manifest makes the names in its folder durable, those of the links too.
            try await manifestFile(folder(of: shard, in: layout)).write(next[shard].encoded())
        }
        try await layoutFile.write(layout.encoded())
        return (layout, next)
    }

    private func link(
        _ file: ShardManifest.File, of table: UUID, from source: String, into manifests: inout [ShardManifest],
        _ layout: ShardLayout, _ slices: ShardSlices
    ) async throws(StorageError) {
        let opened: LiveSSTable = try await LiveSSTable.open(file, folder: source, disk: disk)
        let tokens: ClosedRange<Token>? = opened.table.tokens
        await opened.table.close()
        guard let tokens else { return }
        for shard in slices.shard(of: tokens.lowerBound)...slices.shard(of: tokens.upperBound) {
            let slice: ClosedRange<Token> = slices.tokens(of: shard)
            guard slice.overlaps(tokens) else { continue }
            let generation: UInt64 = manifests[shard].nextGeneration
            manifests[shard].nextGeneration += 1
            let entry = ShardManifest.File(
                generation: generation, byteCount: file.byteCount, tokens: slice.clamped(to: file.tokens))
            do throws(DiskError) {
                try await disk.link(
                    source + "/" + SSTableName.file(file.generation),
                    to: folder(of: shard, in: layout) + "/" + SSTableName.file(generation))
            } catch {
                throw StorageError(error)
            }
            manifests[shard].change(table) { $0.files.append(entry) }
        }
    }

    // MARK: What crashes left behind

    private func removeOtherLayouts(than layout: ShardLayout) async throws(StorageError) {
        for name in try await layoutFolders() where name != layout.folderName {
            try await removeTree(dataDirectory + "/" + name)
        }
    }

    private func layoutFolders() async throws(StorageError) -> [String] {
        do throws(DiskError) {
            return try await disk.list(dataDirectory).filter { $0.hasPrefix(ShardLayout.folderPrefix) }
        } catch {
            throw StorageError(error)
        }
    }

    /// Whether a finished SSTable is in a folder or below.
    private func holdsTables(_ path: String) async throws(StorageError) -> Bool {
        do throws(DiskError) {
            for name in try await disk.list(path) {
                if SSTableName.generation(of: name) != nil { return true }
                let isDirectory: Bool = try await disk.kind(of: path + "/" + name) == .directory
                if isDirectory,
                    try await disk.list(path + "/" + name).contains(where: {
                        SSTableName.generation(of: $0) != nil
                    })
                {
                    return true
                }
            }
            return false
        } catch {
            throw StorageError(error)
        }
    }

    private func removeTree(_ path: String) async throws(StorageError) {
        do throws(DiskError) {
            for name in try await disk.list(path) {
                let below: String = path + "/" + name
                if try await disk.kind(of: below) == .directory {
                    for file in try await disk.list(below) { try await disk.remove(below + "/" + file) }
                }
                try await disk.remove(below)
            }
            try await disk.remove(path)
        } catch {
            throw StorageError(error)
        }
    }
}
