internal import Cluster
internal import DataModel
internal import Environment
internal import Primitives
internal import Storage

/// What a start finds.
extension HintStore {
    /// Makes the folder, and finds the files of former processes.
    func findFiles() async throws(DiskError) {
        try await disk.createDurableDirectory(options.directory)
        let names: [String] = try await disk.list(options.directory)
        for text in names {
            guard let name = HintFileName(text) else { continue }
            nextNumber = max(nextNumber, name.number &+ 1)
            await find(name)
        }
        for text in names where text.hasSuffix(HintFileName.progressEnding) {
            let stem: Substring = text.dropLast(HintFileName.progressEnding.utf8.count)
            if !names.contains("\(stem)\(HintFileName.ending)") { await removeFile("\(options.directory)/\(text)") }
        }
    }

    private func find(_ name: HintFileName) async {
        let path = "\(options.directory)/\(name.name)"
        do throws(DiskError) {
            let file = try await disk.open(path, .read)
            let byteCount: Int = file.byteCount
            let bytes: [UInt8]
            do throws(DiskError) {
                bytes = try await file.read(HintFileHead.byteCount, at: 0)
            } catch {
                await file.close()
                throw error
            }
            await file.close()
            // A crash before the first hint was whole.
            guard byteCount > HintFileHead.byteCount else { return await removeFile(path) }
            try await adopt(name, bytes, byteCount)
        } catch {
            report(.failed(path: path, reason: "\(error)"))
        }
    }

    private func adopt(_ name: HintFileName, _ bytes: [UInt8], _ byteCount: Int) async throws(DiskError) {
        let path = "\(options.directory)/\(name.name)"
        let head: HintFileHead
        do throws(DecodingError) {
            head = try HintFileHead(bytes)
            guard head.target == name.target else {
                throw DecodingError.invalid(offset: 0, what: "its name is that of another replica")
            }
        } catch {
            try await disk.rename(path, to: path + HintFileName.unreadableEnding)
            await removeFile("\(options.directory)/\(name.progressName)")
            report(.unreadable(path: path, reason: "\(error)"))
            return
        }
        var file = HintFile(
            name: name, head: head, byteCount: byteCount, hintCount: nil, newestMicroseconds: head.createdMicroseconds)
        if let progress = await progress(of: name) { progress.apply(to: &file) }
        folder(of: name.target).adopt(file)
    }

    /// Nil when there is none, or none that can be read.
    private func progress(of name: HintFileName) async -> HintProgress? {
        let path = "\(options.directory)/\(name.progressName)"
        do {
            guard try await disk.kind(of: path) != nil else { return nil }
            let file = try await disk.open(path, .read)
            let bytes: [UInt8]
            do throws(DiskError) {
                bytes = try await file.read(HintProgress.byteCount, at: 0)
            } catch {
                await file.close()
                throw error
            }
            await file.close()
            return try HintProgress(bytes)
        } catch {
            // The file is delivered once more from its beginning.
            return nil
        }
    }

    /// Removes a file that need not be there; it is no matter when it stays.
    func removeFile(_ path: String) async {
        do throws(DiskError) {
            if try await disk.kind(of: path) != nil { try await disk.remove(path) }
        } catch {
            report(.failed(path: path, reason: "\(error)"))
        }
    }
}
