import DataModel
import Primitives
package import Storage

extension MergedPage {
    /// The greatest timestamp of anything in the page, dead or alive; nil when it has nothing.
    ///
    /// - Throws: `.decoding` when a page is not what pages look like.
    package func latestTimestamp() throws(StorageError) -> Int64? {
        var latest: Int64 = .min
        for page in pages {
            do throws(DecodingError) {
                var reader = ByteReader(page.fragments.span.bytes)
                while !reader.isAtEnd {
                    let fragment = try reader.readBytes(Int(try reader.readUInt32()))
                    latest = max(latest, try MergedPage.latestTimestamp(ofMutation: fragment))
                }
            } catch { throw .decoding(error) }
        }
        return latest == .min ? nil : latest
    }

    private static func latestTimestamp(ofMutation bytes: RawSpan) throws(DecodingError) -> Int64 {
        var mutation = try MutationReader(bytes)
        var latest: Int64 = mutation.partitionDeletion.timestamp
        if !mutation.staticRow.isEmpty { latest = max(latest, try latestTimestamp(ofRow: mutation.staticRow)) }
        while let row = try mutation.nextRow() { latest = max(latest, try latestTimestamp(ofRow: row.body)) }
        while let range = try mutation.nextRange() { latest = max(latest, range.deletion.timestamp) }
        return latest
    }

    private static func latestTimestamp(ofRow bytes: RawSpan) throws(DecodingError) -> Int64 {
        var row = try RowReader(bytes)
        var latest: Int64 = max(row.deletion.timestamp, row.marker?.timestamp ?? .min)
        while let cell = try row.next() { latest = max(latest, cell.timestamp) }
        return latest
    }
}
