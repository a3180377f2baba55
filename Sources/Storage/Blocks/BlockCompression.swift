internal import CLZ4
internal import CZstd
internal import Primitives

/// How the blocks of an SSTable are made smaller: the table's `compression` option.
package enum BlockCompression: Sendable, Equatable {
    case none
    case lz4
    case zstd(level: Int32)

    /// Reads the table's option. An empty map, or `enabled: false`, means none. Compressors that this build does not
    /// have become LZ4: the option says how blocks are stored, not what they mean.
    package init(options: [String: String]) {
        guard let name = options["class"] ?? options["sstable_compression"], !name.isEmpty,
            options["enabled"] != "false"
        else {
            self = .none
            return
        }
        switch name.split(separator: ".").last.map(String.init) ?? name {
        case "NoopCompressor": self = .none
        case "ZstdCompressor", "ZstdDictionaryCompressor":
            let level: Int32 = options["compression_level"].flatMap { Int32($0) } ?? 3
            self = .zstd(level: min(22, max(-5, level)))
        default: self = .lz4
        }
    }

    /// The bytes that the option asks a block to hold before compression; 16 KiB when it does not say.
    package static func blockByteCount(options: [String: String]) -> Int {
        let text: String? = options["chunk_length_in_kb"] ?? options["chunk_length_kb"]
        guard let text, let kibibytes = Int(text), kibibytes > 0 else { return 16_384 }
        return min(256, max(4, kibibytes)) * 1_024
    }
}

/// How the stored form of one block is to be read back (docs/formats/sstable.md, Blocks).
enum BlockKind: UInt8 {
    case plain = 0
    case lz4 = 1
    case zstd = 2
}

/// Compresses the blocks of one file; keeps what the compressor needs between them.
final class BlockCompressor {
    private let compression: BlockCompression
    private var context: OpaquePointer?

    init(_ compression: BlockCompression) {
        self.compression = compression
    }

    deinit {
        if let context { ZSTD_freeCCtx(context) }
    }

    /// Appends the smaller of the block and its compressed form, and says which it was.
    func append(_ bytes: UnsafeRawBufferPointer, to writer: inout ByteWriter) -> BlockKind {
        let start: Int = writer.count
        switch compression {
        case .none: break
        case .lz4:
            let bound = Int(LZ4_compressBound(Int32(clamping: bytes.count)))
            guard bound > 0 else { break }
            writer.writeDirectly(upTo: bound) { target in
                Int(
                    LZ4_compress_default(
                        bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                        target.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(clamping: bytes.count),
                        Int32(clamping: target.count)))
            }
        case .zstd(let level):
            if context == nil { context = ZSTD_createCCtx() }
            guard let context else { break }
            writer.writeDirectly(upTo: ZSTD_compressBound(bytes.count)) { target in
                let written = ZSTD_compressCCtx(
                    context, target.baseAddress, target.count, bytes.baseAddress, bytes.count, level)
                return ZSTD_isError(written) != 0 ? 0 : written
            }
        }
        let compressed: Int = writer.count - start
        if compressed > 0, compressed < bytes.count {
            if case .lz4 = compression { return .lz4 }
            return .zstd
        }
        writer.truncate(to: start)
        writer.write(bytes)
        return .plain
    }
}

/// Reads stored blocks back; keeps what the decompressor needs between them.
final class BlockDecompressor {
    private var context: OpaquePointer?

    deinit {
        if let context { ZSTD_freeDCtx(context) }
    }

    /// Fills `target` with the original bytes; false when `source` is not the compressed form of as many.
    func decompress(
        _ source: UnsafeRawBufferPointer, _ kind: BlockKind, into target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        switch kind {
        case .plain:
            guard source.count == target.count else { return false }
            target.copyMemory(from: source)
            return true
        case .lz4:
            guard source.count <= Int32.max, target.count <= Int32.max else { return false }
            let count = LZ4_decompress_safe(
                source.baseAddress?.assumingMemoryBound(to: CChar.self),
                target.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count), Int32(target.count))
            return Int(count) == target.count
        case .zstd:
            if context == nil { context = ZSTD_createDCtx() }
            guard let context else { return false }
            let count = ZSTD_decompressDCtx(
                context, target.baseAddress, target.count, source.baseAddress, source.count)
            return ZSTD_isError(count) == 0 && count == target.count
        }
    }
}
