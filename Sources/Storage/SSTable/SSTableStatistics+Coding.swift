internal import DataModel
internal import Primitives

/// The stored form of the statistics (docs/formats/sstable.md, Statistics).
extension SSTableStatistics {
    /// The second form has the histograms of the partitions.
    package static let currentForm: UInt8 = 2
    private static let firstForm: UInt8 = 1

    func write(to writer: inout ByteWriter) {
        writer.write(SSTableStatistics.currentForm)
        writer.write(tableID.high)
        writer.write(tableID.low)
        writer.write(generation)
        writer.write(logPosition)
        writer.write(createdSeconds)
        writer.write(level)
        writer.write(repairedAtSeconds)
        writer.write(minTimestamp)
        writer.write(maxTimestamp)
        writer.write(minLocalDeletionSeconds)
        writer.write(maxLocalDeletionSeconds)
        writer.write(UInt8(isAllMortal ? 1 : 0))
        writer.write(firstToken.value)
        writer.write(lastToken.value)
        for bytes in [firstKey, lastKey, minClustering, maxClustering] {
            writer.writeLength(bytes.count)
            writer.write(bytes)
        }
        for count in counts { writer.write(UInt64(count)) }
        tombstoneDropTimes.write(to: &writer)
        keySketch.write(to: &writer)
        partitionByteCounts.write(to: &writer)
        partitionCellCounts.write(to: &writer)
    }

    private var counts: [Int] {
        [
            partitionCount, rowCount, cellCount, tombstoneCount, partitionDeletionCount, rangeDeletionCount,
            staticRowCount, rawByteCount, largestPartitionByteCount,
        ]
    }

    init(_ bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        let version: UInt8 = try reader.readUInt8()
        guard version == SSTableStatistics.firstForm || version == SSTableStatistics.currentForm else {
            throw .invalid(offset: 0, what: "statistics of an unknown version")
        }
        let high: UInt64 = try reader.readUInt64()
        let low: UInt64 = try reader.readUInt64()
        self.init(tableID: UUID(high: high, low: low), generation: try reader.readUInt64())
        logPosition = try reader.readUInt64()
        createdSeconds = try reader.readInt64()
        level = try reader.readUInt32()
        repairedAtSeconds = try reader.readInt64()
        minTimestamp = try reader.readInt64()
        maxTimestamp = try reader.readInt64()
        minLocalDeletionSeconds = try reader.readInt64()
        maxLocalDeletionSeconds = try reader.readInt64()
        isAllMortal = try reader.readUInt8() != 0
        firstToken = Token(try reader.readInt64())
        lastToken = Token(try reader.readInt64())
        firstKey = try reader.readArray(try reader.readLength())
        lastKey = try reader.readArray(try reader.readLength())
        minClustering = try reader.readArray(try reader.readLength())
        maxClustering = try reader.readArray(try reader.readLength())
        try readCounts(&reader)
        tombstoneDropTimes = try TombstoneHistogram(from: &reader)
        keySketch = try KeySketch(from: &reader)
        formVersion = version
        guard version == SSTableStatistics.currentForm else { return }
        partitionByteCounts = try LogHistogram(from: &reader)
        partitionCellCounts = try LogHistogram(from: &reader)
    }

    private mutating func readCounts(_ reader: inout ByteReader) throws(DecodingError) {
        partitionCount = try SSTableStatistics.readCount(&reader)
        rowCount = try SSTableStatistics.readCount(&reader)
        cellCount = try SSTableStatistics.readCount(&reader)
        tombstoneCount = try SSTableStatistics.readCount(&reader)
        partitionDeletionCount = try SSTableStatistics.readCount(&reader)
        rangeDeletionCount = try SSTableStatistics.readCount(&reader)
        staticRowCount = try SSTableStatistics.readCount(&reader)
        rawByteCount = try SSTableStatistics.readCount(&reader)
        largestPartitionByteCount = try SSTableStatistics.readCount(&reader)
    }

    private static func readCount(_ reader: inout ByteReader) throws(DecodingError) -> Int {
        let stored: UInt64 = try reader.readUInt64()
        guard stored <= UInt64(1) << 56 else { throw .invalid(offset: reader.offset, what: "an impossible count") }
        return Int(stored)
    }
}
