import Environment
import Glibc

extension DiskError {
    /// What an error number of the system means for a path.
    static func system(_ code: Int32, _ path: String) -> DiskError {
        switch code {
        case ENOENT: .notFound(path: path)
        case EEXIST: .alreadyExists(path: path)
        case ENOSPC, EDQUOT: .outOfSpace(path: path)
        default: .failed(path: path, code: code, reason: systemReason(code))
        }
    }

    /// The last error of this thread.
    static func last(_ path: String) -> DiskError {
        system(errno, path)
    }
}

/// The system's words for an error number.
func systemReason(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return String(cString: text)
}

/// Repeats a call as long as a signal interrupts it.
func retrying<Number: SignedInteger>(_ call: () -> Number) -> Number {
    while true {
        let result: Number = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

/// Fills `target` from `offset` on, or up to the end of the file; returns how many bytes there were.
func readFully(
    _ descriptor: Int32, into target: UnsafeMutableRawBufferPointer, at offset: Int, path: String
) throws(DiskError) -> Int {
    var done = 0
    while done < target.count {
        let part = UnsafeMutableRawBufferPointer(rebasing: target[done...])
        let count: Int = retrying { pread(descriptor, part.baseAddress, part.count, off_t(offset + done)) }
        if count < 0 { throw .last(path) }
        if count == 0 { break }
        done += count
    }
    return done
}

/// Writes all of `bytes` at `offset`.
func writeFully(
    _ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int, path: String
) throws(DiskError) {
    var done = 0
    while done < bytes.count {
        let part = UnsafeRawBufferPointer(rebasing: bytes[done...])
        let count: Int = retrying { pwrite(descriptor, part.baseAddress, part.count, off_t(offset + done)) }
        if count < 0 { throw .last(path) }
        // A write of nothing without an error would repeat for ever.
        if count == 0 { throw .system(EIO, path) }
        done += count
    }
}

/// The size of an open file.
func sizeOfFile(_ descriptor: Int32, path: String) throws(DiskError) -> Int {
    var status = stat()
    if fstat(descriptor, &status) != 0 { throw .last(path) }
    return Int(status.st_size)
}

/// Reads up to `count` bytes, allocating no more than the file has.
func readBytes(_ descriptor: Int32, _ count: Int, at offset: Int, path: String) throws(DiskError) -> [UInt8] {
    guard count >= 0, offset >= 0 else { throw .system(EINVAL, path) }
    let available: Int = max(0, try sizeOfFile(descriptor, path: path) - offset)
    let wanted: Int = min(count, available)
    guard wanted > 0 else { return [] }
    var failure: DiskError?
    let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, initialized in
        do throws(DiskError) {
            initialized = try readFully(descriptor, into: UnsafeMutableRawBufferPointer(buffer), at: offset, path: path)
        } catch {
            failure = error
            initialized = 0
        }
    }
    if let failure { throw failure }
    return bytes
}
