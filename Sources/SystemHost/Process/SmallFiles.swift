package import Environment
import Glibc

/// Whole files, read and written at once by command lines, before there is a loop to wait on.
package enum SmallFiles {
    /// Reads a file, or standard input for `-`.
    ///
    /// - Parameter limit: the most bytes that are taken; a longer file is an error (EFBIG).
    package static func read(_ path: String, limit: Int = 256 << 20) throws(DiskError) -> [UInt8] {
        let isInput: Bool = path == "-"
        let descriptor: Int32 = isInput ? 0 : retrying { open(path, O_RDONLY | O_CLOEXEC) }
        if descriptor < 0 { throw .last(path) }
        defer { if !isInput { close(descriptor) } }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1_024)
        while true {
            let count: Int = retrying { Glibc.read(descriptor, &chunk, chunk.count) }
            if count < 0 { throw .last(path) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            if bytes.count > limit { throw .system(EFBIG, path) }
        }
    }

    /// Writes a file, replacing what was there; not durable.
    package static func write(_ bytes: [UInt8], to path: String) throws(DiskError) {
        try write(bytes, to: path, flags: O_TRUNC)
    }

    /// Writes behind what a file has, which is made when it does not exist; not durable.
    package static func append(_ bytes: [UInt8], to path: String) throws(DiskError) {
        // On Linux a file that is open for appending ignores the offset of a write.
        try write(bytes, to: path, flags: O_APPEND)
    }

    private static func write(_ bytes: [UInt8], to path: String, flags: Int32) throws(DiskError) {
        let descriptor: Int32 = retrying { open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0o644) }
        if descriptor < 0 { throw .last(path) }
        defer { close(descriptor) }
        let result: Result<Void, DiskError> = bytes.withUnsafeBytes { buffer in
            Result { () throws(DiskError) in try writeFully(descriptor, buffer, at: 0, path: path) }
        }
        try result.get()
    }
}
