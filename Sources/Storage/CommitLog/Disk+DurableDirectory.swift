package import Environment

extension Disk {
    /// Makes a folder whose name a loss of power does not take back.
    ///
    /// The folders above are synced whether or not they are new, because a process that was killed right after making
    /// one has left it without.
    package func createDurableDirectory(_ path: String) async throws(DiskError) {
        try await createDirectory(path)
        var rest: Substring = path[...]
        while let slash = rest.lastIndex(of: "/") {
            rest = rest[..<slash]
            // Folders that the process may not open were there before it came, and so were those above them.
            do throws(DiskError) { try await syncDirectory(rest.isEmpty ? "/" : String(rest)) } catch { return }
        }
        if !rest.isEmpty { do throws(DiskError) { try await syncDirectory(".") } catch { return } }
    }
}
