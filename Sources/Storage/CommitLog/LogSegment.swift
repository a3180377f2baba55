import Environment
import Primitives
import Synchronization

/// One file of the log, while it is written to.
final class LogSegment: Sendable {
    let id: UInt64
    let path: String
    let file: any LogFile
    let byteCount: Int
    /// Where the next chunk starts. Shards move it forward themselves, without a lock.
    private let reserved: Atomic<Int>
    /// Where the chunks of the segment before end; 0 when nothing may be concluded from it.
    private let endBefore: Atomic<Int>

    init(id: UInt64, path: String, file: any LogFile, byteCount: Int) {
        self.id = id
        self.path = path
        self.file = file
        self.byteCount = byteCount
        self.reserved = Atomic(LogFormat.firstChunkOffset)
        self.endBefore = Atomic(0)
    }

    /// Takes room for a chunk; nil when the segment has too little left. May be called from any thread.
    func reserve(_ extent: Int) -> Int? {
        var start: Int = reserved.load(ordering: .relaxed)
        while start &+ extent <= byteCount {
            let result = reserved.compareExchange(
                expected: start, desired: start &+ extent, ordering: .acquiringAndReleasing)
            if result.exchanged { return start }
            start = result.original
        }
        return nil
    }

    /// Where the chunks that were reserved so far end.
    var end: Int { reserved.load(ordering: .acquiring) & ~LogSegment.sealBit }

    var previousEnd: Int { endBefore.load(ordering: .acquiring) }

    /// Tells where the segment before ends, before the first chunk is taken from this one.
    func follow(_ previous: LogSegment) {
        endBefore.store(previous.end, ordering: .releasing)
    }

    /// Lets no further chunk start here.
    func seal() {
        _ = reserved.bitwiseOr(LogSegment.sealBit, ordering: .acquiringAndReleasing)
    }

    /// Above every size of a file, so that a sealed segment has room for nothing.
    private static let sealBit: Int = 1 << 60
}
