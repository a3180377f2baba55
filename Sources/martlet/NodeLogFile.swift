import Server
import SystemHost

/// Where the lines of a node's log go: behind a file, or to standard error.
enum NodeLogFile {
    /// - Parameter path: of the setting `log_file`; empty for standard error.
    /// - Throws: a sentence when the file cannot be written, now and not when the first line is lost.
    static func writer(_ path: String) throws(ConfigurationError) -> @Sendable (String) -> Void {
        if path.isEmpty { return { line in _ = Terminal.write(line, to: .error) } }
        do {
            try SmallFiles.append([], to: path)
        } catch { throw ConfigurationError("The log file \(path) cannot be written: \(error)") }
        return { line in
            do {
                try SmallFiles.append(Array(line.utf8), to: path)
            } catch {
                // The file is opened for every line, so that it may be moved away; when that fails, nothing is lost.
                _ = Terminal.write(line, to: .error)
            }
        }
    }
}
