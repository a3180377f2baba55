import DataModel
import Primitives

/// A copy of the key and the static row of the partition that a read stands in, which stays while cursors go on.
///
/// Hot: filled once per partition that is read; a warm one allocates nothing.
final class HeldPartition {
    private var bytes = ByteWriter(capacity: 256)
    private var keyByteCount = 0

    private static let keptByteCount = 64 << 10

    func hold(key: UnsafeRawBufferPointer, staticRow: UnsafeRawBufferPointer) {
        bytes.removeAll(keepingAtMost: HeldPartition.keptByteCount)
        bytes.write(key)
        keyByteCount = key.count
        bytes.write(staticRow)
    }

    /// Valid until the next partition is held, as `staticRow` is.
    var key: UnsafeRawBufferPointer {
        bytes.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[0..<keyByteCount]) }
    }

    var staticRow: UnsafeRawBufferPointer {
        bytes.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[keyByteCount...]) }
    }

    func hasKey(_ other: UnsafeRawBufferPointer) -> Bool { ByteOrder.compare(key, other) == 0 }

    func hasKey(_ other: [UInt8]) -> Bool { other.withUnsafeBytes { hasKey($0) } }
}
