internal import Cluster
internal import Environment
internal import Primitives

/// The names of the files of hints: `<host id>-<20 digits>.hints`, and beside each one how much of it was delivered.
struct HintFileName: Hashable, Comparable, Sendable {
    let target: NodeID
    /// Ascending over all targets, in the order in which files were made.
    let number: UInt64

    static let ending = ".hints"
    static let progressEnding = ".progress"
    /// For a file of which nothing can be read.
    static let unreadableEnding = ".unreadable"

    private var stem: String {
        let digits = String(number)
        return "\(target.uuid)-" + String(repeating: "0", count: max(0, 20 - digits.utf8.count)) + digits
    }

    var name: String { stem + HintFileName.ending }
    var progressName: String { stem + HintFileName.progressEnding }

    init(target: NodeID, number: UInt64) {
        self.target = target
        self.number = number
    }

    /// Nil for the name of something else.
    init?(_ name: String) {
        guard name.hasSuffix(HintFileName.ending) else { return nil }
        let stem: Substring = name.dropLast(HintFileName.ending.utf8.count)
        guard stem.utf8.count == 57, let uuid = UUID(text: String(stem.prefix(36))) else { return nil }
        guard let number = UInt64(stem.suffix(20)), stem.dropFirst(36).first == "-" else { return nil }
        self.init(target: NodeID(uuid), number: number)
        guard self.name == name else { return nil }
    }

    static func < (left: HintFileName, right: HintFileName) -> Bool {
        (left.target, left.number) < (right.target, right.number)
    }
}

/// What is known of one file of hints.
struct HintFile: Sendable {
    let name: HintFileName
    let head: HintFileHead
    /// What is whole: a write that failed may have left more.
    var byteCount: Int
    /// Nil for a file of a former process that did not end in an orderly way.
    var hintCount: Int?
    /// All before this was delivered or needs not be.
    var deliveredOffset: Int = HintFileHead.byteCount
    /// When its last hint was made, as far as that is known.
    var newestMicroseconds: Int64
}

/// How much of a file was delivered: a note beside it that is written over and never made durable. When it is lost or
/// torn, hints are delivered once more.
///
///     progress := magic u32 · salt of the file u64 · offset u64 · hint count i64 (-1: not known) · newest i64 · checksum u32
struct HintProgress: Hashable, Sendable {
    /// `MLHP`.
    static let magic: UInt32 = 0x4D4C_4850
    static let byteCount = 40

    var salt: UInt64
    var offset: UInt64
    var hintCount: Int64
    var newestMicroseconds: Int64

    init(_ file: HintFile) {
        self.salt = file.head.salt
        self.offset = UInt64(file.deliveredOffset)
        self.hintCount = Int64(file.hintCount ?? -1)
        self.newestMicroseconds = file.newestMicroseconds
    }

    var bytes: [UInt8] {
        var writer = ByteWriter(capacity: HintProgress.byteCount)
        writer.write(HintProgress.magic)
        writer.write(salt)
        writer.write(offset)
        writer.write(hintCount)
        writer.write(newestMicroseconds)
        let checksum: UInt32 = Checksum.crc32c(writer.span)
        writer.write(checksum)
        return writer.array()
    }

    init(_ bytes: [UInt8]) throws(DecodingError) {
        var reader = ByteReader(bytes.span.bytes)
        guard try reader.readUInt32() == HintProgress.magic else {
            throw .invalid(offset: 0, what: "it is of another kind")
        }
        self.salt = try reader.readUInt64()
        self.offset = try reader.readUInt64()
        self.hintCount = try reader.readInt64()
        self.newestMicroseconds = try reader.readInt64()
        let computed: UInt32 = Checksum.crc32c(bytes.span.bytes.extracting(first: reader.offset))
        let offset: Int = reader.offset
        let stored: UInt32 = try reader.readUInt32()
        guard stored == computed else { throw .checksumMismatch(offset: offset, stored: stored, computed: computed) }
    }

    /// Takes over what is noted, unless it is of another file or makes no sense.
    func apply(to file: inout HintFile) {
        guard salt == file.head.salt, offset <= UInt64(file.byteCount) else { return }
        file.deliveredOffset = max(HintFileHead.byteCount, Int(offset))
        file.hintCount = hintCount >= 0 ? Int(hintCount) : nil
        file.newestMicroseconds = max(file.newestMicroseconds, newestMicroseconds)
    }
}
