internal import Primitives

/// The last bytes of an SSTable: where its parts stand (docs/formats/sstable.md, Footer).
///
///     footer := data root · deletions root · filter · statistics        each: offset u64 · stored byte count u32
///               · data height u8 · deletions height u8 · zero u16 · version u32 · CRC-32C u32 · magic u64
///
/// A part that the file does not have has the byte count 0. The checksum covers the footer's own offset and everything
/// before the checksum, so a file that was cut or extended is noticed.
struct SSTableFooter: Equatable {
    static let byteCount: Int = 68
    static let version: UInt32 = 1
    /// "MRTLTSST".
    static let magic: UInt64 = 0x4D52_544C_5453_5354

    var dataRoot: BlockLocation
    var deletionsRoot: BlockLocation?
    var filter: BlockLocation?
    var statistics: BlockLocation
    var dataHeight: UInt8
    var deletionsHeight: UInt8

    func write(to writer: inout ByteWriter, at offset: Int) {
        let start: Int = writer.count
        let none = BlockLocation(offset: 0, storedByteCount: 0)
        for location in [dataRoot, deletionsRoot ?? none, filter ?? none, statistics] {
            writer.write(UInt64(location.offset))
            writer.write(UInt32(truncatingIfNeeded: location.storedByteCount))
        }
        writer.write(dataHeight)
        writer.write(deletionsHeight)
        writer.write(UInt16(0))
        writer.write(SSTableFooter.version)
        let sum: UInt32 = writer.withUnsafeBytes { bytes in
            BlockEnvelope.checksum(of: UnsafeRawBufferPointer(rebasing: bytes[start...]), at: offset)
        }
        writer.write(sum)
        writer.write(SSTableFooter.magic)
    }

    /// Reads the footer that stands at `offset`, the end of the file.
    init(_ bytes: [UInt8], at offset: Int) throws(BlockDamage) {
        func damage(_ reason: String) -> BlockDamage { BlockDamage(offset: offset, reason: reason) }
        guard bytes.count == SSTableFooter.byteCount else { throw damage("the file is too short for a footer") }
        let fields: Fields
        do throws(DecodingError) {
            var reader = ByteReader(bytes.span.bytes)
            fields = try Fields(&reader)
        } catch {
            throw damage("the footer makes no sense")
        }
        let sum: UInt32 = bytes.withUnsafeBytes { all in
            BlockEnvelope.checksum(of: UnsafeRawBufferPointer(rebasing: all[..<(all.count - 12)]), at: offset)
        }
        guard fields.magic == SSTableFooter.magic else { throw damage("the file does not end like an SSTable") }
        guard fields.checksum == sum else { throw damage("the checksum of the footer does not match") }
        guard fields.version == SSTableFooter.version else {
            throw damage("the format version \(fields.version) is unknown")
        }
        guard let dataRoot = fields.locations[0], let statistics = fields.locations[3], 1...2 ~= fields.dataHeight,
            fields.locations[1] == nil || 1...2 ~= fields.deletionsHeight
        else { throw damage("the footer lacks a part") }
        self.init(
            dataRoot: dataRoot, deletionsRoot: fields.locations[1], filter: fields.locations[2], statistics: statistics,
            dataHeight: fields.dataHeight, deletionsHeight: fields.deletionsHeight)
    }

    /// What is read before it is judged.
    private struct Fields {
        var locations: [BlockLocation?] = []
        var dataHeight: UInt8
        var deletionsHeight: UInt8
        var version: UInt32
        var checksum: UInt32
        var magic: UInt64

        init(_ reader: inout ByteReader) throws(DecodingError) {
            var locations: [BlockLocation?] = []
            for _ in 0..<4 {
                let offset: UInt64 = try reader.readUInt64()
                let count: UInt32 = try reader.readUInt32()
                guard offset < 1 << 56 else { throw .invalid(offset: reader.offset, what: "an impossible offset") }
                locations.append(count == 0 ? nil : BlockLocation(offset: Int(offset), storedByteCount: Int(count)))
            }
            self.locations = locations
            self.dataHeight = try reader.readUInt8()
            self.deletionsHeight = try reader.readUInt8()
            try reader.skip(2)
            self.version = try reader.readUInt32()
            self.checksum = try reader.readUInt32()
            self.magic = try reader.readUInt64()
        }
    }

    init(
        dataRoot: BlockLocation, deletionsRoot: BlockLocation?, filter: BlockLocation?, statistics: BlockLocation,
        dataHeight: UInt8, deletionsHeight: UInt8
    ) {
        self.dataRoot = dataRoot
        self.deletionsRoot = deletionsRoot
        self.filter = filter
        self.statistics = statistics
        self.dataHeight = dataHeight
        self.deletionsHeight = deletionsHeight
    }
}
