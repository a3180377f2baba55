import Environment
import Primitives

/// Finding things by path, and the look inside that tests have.
extension SimulatedDisk {
    /// The parts of a path; `.` and empty parts are dropped, so relative paths start at the root.
    static func parts(_ path: String) -> [String] {
        path.split(separator: "/").filter { $0 != "." }.map(String.init)
    }

    func entry(at path: String) -> DiskEntry? {
        var entry: DiskEntry = .directory(root)
        for part in SimulatedDisk.parts(path) {
            guard case .directory(let directory) = entry, let next = directory.names[part] else { return nil }
            entry = next
        }
        return entry
    }

    func directory(at path: String) throws(DiskError) -> StoredDirectory {
        switch entry(at: path) {
        case .directory(let directory): return directory
        case .file:
            throw .failed(path: path, code: SystemErrorNumber.notADirectory, reason: "Not a directory")
        case nil: throw .notFound(path: path)
        }
    }

    func file(at path: String) throws(DiskError) -> StoredFile {
        switch entry(at: path) {
        case .file(let file): return file
        case .directory:
            throw .failed(path: path, code: SystemErrorNumber.isADirectory, reason: "Is a directory")
        case nil: throw .notFound(path: path)
        }
    }

    /// The folder that a path is in, and the last part of the path.
    func place(of path: String) throws(DiskError) -> (directory: StoredDirectory, name: String) {
        var parts: [String] = SimulatedDisk.parts(path)
        guard let name = parts.popLast() else { throw .invalid(path) }
        var directory: StoredDirectory = root
        for part in parts {
            guard case .directory(let next) = directory.names[part] else { throw .notFound(path: path) }
            directory = next
        }
        return (directory, name)
    }

    // MARK: For tests

    /// The paths of all files, in ascending order of folders and names.
    package func files(under path: String = "/") -> [String] {
        guard case .directory(let start) = entry(at: path) else { return [] }
        let parts: [String] = SimulatedDisk.parts(path)
        var found: [String] = []
        forEachFile(below: start, path: parts.isEmpty ? "" : "/" + parts.joined(separator: "/")) { path, _ in
            found.append(path)
        }
        return found
    }

    /// What programs see in a file; nil when there is none.
    package func contents(of path: String) -> [UInt8]? {
        guard case .file(let file) = entry(at: path) else { return nil }
        return file.content.allBytes
    }

    /// What a loss of power is sure to leave of a file, provided that its name is durable.
    package func durableContents(of path: String) -> [UInt8]? {
        guard case .file(let file) = entry(at: path) else { return nil }
        return file.durable.allBytes
    }

    /// Puts a file there, durably and without an operation; makes its folders.
    package func plant(_ bytes: [UInt8], at path: String) {
        var parts: [String] = SimulatedDisk.parts(path)
        guard let name = parts.popLast() else { return }
        var directory: StoredDirectory = root
        for part in parts {
            let next: StoredDirectory
            if case .directory(let existing) = directory.names[part] {
                next = existing
            } else {
                next = StoredDirectory()
            }
            directory.names[part] = .directory(next)
            directory.durableNames[part] = .directory(next)
            directory = next
        }
        if case .file(let file) = directory.names[name] { return file.plant(bytes) }
        let file = StoredFile()
        file.plant(bytes)
        directory.names[name] = .file(file)
        directory.durableNames[name] = .file(file)
    }

    /// Inverts one bit of a file; does nothing when there is no such byte.
    package func flipBit(_ bit: Int, ofByte offset: Int, in path: String) {
        guard case .file(let file) = entry(at: path) else { return }
        file.flipBit(bit, ofByte: offset)
    }

    /// Inverts a bit of a file that the seed chooses; returns which byte, or nil for a file that is empty or missing.
    @discardableResult
    package func flipRandomBit(in path: String) -> Int? {
        guard case .file(let file) = entry(at: path), file.content.byteCount > 0 else { return nil }
        let offset: Int = generator.below(file.content.byteCount)
        file.flipBit(generator.below(8), ofByte: offset)
        return offset
    }

    /// Inverts a bit of some file below a folder; returns the file.
    @discardableResult
    package func flipRandomBit(under path: String) -> String? {
        let candidates: [String] = files(under: path).filter { (contents(of: $0) ?? []).isEmpty == false }
        guard !candidates.isEmpty else { return nil }
        let chosen: String = candidates[generator.below(candidates.count)]
        flipRandomBit(in: chosen)
        return chosen
    }

    /// The paths of the handles that are open, in the order in which they were opened.
    package var openHandles: [String] { openPaths.map { $0.path } }
}
