import DataModel
import Primitives
import Testing

@Suite struct PlainRowTests {
    private struct Walked: Equatable {
        var marker: RowMarker?
        var columns: [UInt16] = []
        var flags: [UInt8] = []
        var timestamps: [Int64] = []
        var seconds: [Int64] = []
    }

    /// What the fast walk sees; nil when the row is not plain. The time to live of the marker is not looked at.
    private func walk(_ bytes: [UInt8]) -> Walked? {
        bytes.withUnsafeBytes { bytes in
            guard var row = PlainRow(bytes) else { return nil }
            var walked = Walked()
            if row.flags.contains(.marker) {
                walked.marker = RowMarker(timestamp: row.baseTimestamp, expiresSeconds: row.markerExpires)
            }
            while row.next() {
                walked.columns.append(UInt16(row.column))
                walked.flags.append(row.cellFlags.rawValue)
                walked.timestamps.append(row.timestamp)
                walked.seconds.append(row.cellFlags.rawValue & 0x03 != 0 ? row.seconds : .max)
            }
            return row.isPlain ? walked : nil
        }
    }

    private func read(_ bytes: [UInt8]) throws -> Walked {
        var row = try RowReader(bytes.span.bytes)
        var walked = Walked()
        if let marker = row.marker {
            walked.marker = RowMarker(timestamp: marker.timestamp, expiresSeconds: marker.expiresSeconds)
        }
        while let cell = try row.next() {
            walked.columns.append(cell.column)
            walked.flags.append(cell.flags.rawValue)
            walked.timestamps.append(cell.timestamp)
            walked.seconds.append(cell.seconds)
        }
        return walked
    }

    private func row(
        at timestamp: Int64, columns: [UInt16], hasMarker: Bool = true, valueByteCount: Int = 3, ttl: UInt32 = 0
    ) -> [UInt8] {
        var writer = ByteWriter()
        let expires: Int64 = ttl == 0 ? .max : 50
        let marker: RowMarker? = hasMarker ? RowMarker(timestamp: timestamp, ttl: ttl, expiresSeconds: expires) : nil
        var row = RowWriter(marker: marker, baseTimestamp: timestamp, deletion: .none, to: &writer)
        let value = [UInt8](repeating: UInt8(truncatingIfNeeded: timestamp), count: valueByteCount)
        for column in columns {
            row.live(
                column: column, timestamp: timestamp, ttl: ttl, expiresSeconds: expires, value: value.span.bytes,
                to: &writer)
        }
        row.finish(&writer)
        return writer.array()
    }

    private func overwrites(_ newer: [UInt8], _ older: [UInt8]) -> Bool {
        newer.withUnsafeBytes { newer in older.withUnsafeBytes { PlainRow.overwrites(newer, $0) } }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func seesWhatTheReaderSeesWholeCutOrDamaged(seed: UInt64) throws {
        var rows = RandomRows(seed: seed)
        var plainCount = 0
        for round in 0..<2_000 {
            var bytes: [UInt8] = rows.row()
            if round % 3 == 1 { bytes = Array(bytes.prefix(rows.generator.below(bytes.count + 1))) }
            if round % 3 == 2 {
                bytes[rows.generator.below(bytes.count)] ^= UInt8(1) << UInt8(rows.generator.below(8))
            }
            guard let walked = walk(bytes) else { continue }
            plainCount += 1
            let expected: Walked = try read(bytes)
            #expect(walked == expected, "seed \(seed), round \(round)")
        }
        #expect(plainCount > 200)
    }

    @Test(arguments: [0, 1, 0x7F, 0x80, 0x3FFF])
    func takesValuesUpToItsLimit(byteCount: Int) throws {
        let bytes: [UInt8] = row(at: 5, columns: [1, 2, 700], valueByteCount: byteCount)
        let expected: Walked = try read(bytes)
        #expect(walk(bytes) == expected)
    }

    @Test func leavesLongerValuesToTheReader() {
        #expect(walk(row(at: 5, columns: [1], valueByteCount: 0x4000)) == nil)
    }

    @Test(arguments: [UInt64(11), 12, 13])
    func whatOverwritesIsWhatAMergeLeaves(seed: UInt64) throws {
        var rows = RandomRows(seed: seed)
        var count = 0
        for round in 0..<20_000 {
            let older: [UInt8] = rows.row()
            let newer: [UInt8] = rows.row()
            guard overwrites(newer, older) else { continue }
            count += 1
            let merged: [UInt8] = try merge(newer, older)
            #expect(merged == newer, "seed \(seed), round \(round)")
        }
        #expect(count > 50)
    }

    @Test func aWholeRowWrittenLaterOverwritesAndNothingLessDoes() {
        let older: [UInt8] = row(at: 5, columns: [1, 2, 3])
        #expect(overwrites(row(at: 6, columns: [1, 2, 3]), older))
        #expect(overwrites(row(at: 6, columns: [1, 2, 3, 9], ttl: 7), older))
        #expect(overwrites(row(at: 6, columns: [0, 1, 2, 3]), older))
        #expect(!overwrites(row(at: 5, columns: [1, 2, 3]), older))
        #expect(!overwrites(row(at: 4, columns: [1, 2, 3]), older))
        #expect(!overwrites(row(at: 6, columns: [1, 2]), older))
        #expect(!overwrites(row(at: 6, columns: [1, 3]), older))
        #expect(!overwrites(row(at: 6, columns: [2, 3]), older))
        #expect(!overwrites(row(at: 6, columns: [1, 2, 3], hasMarker: false), older))
        #expect(
            overwrites(
                row(at: 6, columns: [1, 2, 3], hasMarker: false), row(at: 5, columns: [1, 2], hasMarker: false)))
        #expect(!overwrites(row(at: 6, columns: [], hasMarker: false), row(at: 5, columns: [], hasMarker: false)))
    }
}
