/// The bytes of a simulated file, in pages; a page of zeros takes no memory, and copies share their pages.
struct SparseBytes {
    private static let pageByteCount = 4_096

    private(set) var byteCount = 0
    private var pages: [[UInt8]?] = []

    init() {}

    init(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { write($0, at: 0) }
    }

    /// Makes the file `count` bytes long, cutting it or adding zeros.
    mutating func resize(to count: Int) {
        let wanted: Int = (count + SparseBytes.pageByteCount - 1) / SparseBytes.pageByteCount
        if count < byteCount {
            pages.removeLast(pages.count - wanted)
            let kept: Int = count % SparseBytes.pageByteCount
            if kept > 0, var page = pages[wanted - 1] {
                for index in kept..<SparseBytes.pageByteCount { page[index] = 0 }
                pages[wanted - 1] = page
            }
        } else if wanted > pages.count {
            pages.append(contentsOf: repeatElement(nil, count: wanted - pages.count))
        }
        byteCount = count
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        if offset + bytes.count > byteCount { resize(to: offset + bytes.count) }
        var done = 0
        while done < bytes.count {
            let position: Int = offset + done
            let pageIndex: Int = position / SparseBytes.pageByteCount
            let start: Int = position % SparseBytes.pageByteCount
            let count: Int = min(bytes.count - done, SparseBytes.pageByteCount - start)
            let part = UnsafeRawBufferPointer(rebasing: bytes[done..<(done + count)])
            if pages[pageIndex] == nil {
                pages[pageIndex] = [UInt8](repeating: 0, count: SparseBytes.pageByteCount)
            }
            pages[pageIndex]?.withUnsafeMutableBytes { page in
                UnsafeMutableRawBufferPointer(rebasing: page[start..<(start + count)]).copyMemory(from: part)
            }
            done += count
        }
    }

    /// Fills `target` from `offset` on; returns how many bytes there were.
    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        guard offset < byteCount else { return 0 }
        let total: Int = min(target.count, byteCount - offset)
        var done = 0
        while done < total {
            let position: Int = offset + done
            let start: Int = position % SparseBytes.pageByteCount
            let count: Int = min(total - done, SparseBytes.pageByteCount - start)
            let part = UnsafeMutableRawBufferPointer(rebasing: target[done..<(done + count)])
            if let page = pages[position / SparseBytes.pageByteCount] {
                page.withUnsafeBytes {
                    part.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<(start + count)]))
                }
            } else {
                part.initializeMemory(as: UInt8.self, repeating: 0)
            }
            done += count
        }
        return total
    }

    func bytes(_ count: Int, at offset: Int) -> [UInt8] {
        guard offset < byteCount, count > 0 else { return [] }
        let total: Int = min(count, byteCount - offset)
        return [UInt8](unsafeUninitializedCapacity: total) { buffer, initialized in
            initialized = read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
        }
    }

    var allBytes: [UInt8] { bytes(byteCount, at: 0) }
}
