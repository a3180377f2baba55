import CQL
import DataModel
import Primitives

/// Where the next page of a DESCRIBE starts, in the paging state that clients keep.
///
///     version of the schema (16) · number of the next row (8)
enum DescribePage {
    static func state(nextRow: Int, _ schema: Schema) -> [UInt8] {
        PagingState(
            partitionKey: schema.version.bytes + SelectorEvaluation.bigint(Int64(nextRow)), rowMark: [],
            remaining: Int(Int32.max), remainingInPartition: Int(Int32.max)
        ).encoded
    }

    /// The row that a page starts with.
    ///
    /// - Throws: when the state is no such state, and when the schema has changed since the page before.
    static func firstRow(_ state: [UInt8]?, _ schema: Schema) throws(CQLError) -> Int {
        guard let state else { return 0 }
        let place: [UInt8]
        do throws(ProtocolError) {
            place = try PagingState(decoding: state.span.bytes).partitionKey
        } catch { throw .protocolError(message: error.message) }
        guard place.count == 24 else { throw .invalid(message: "Incompatible paging state") }
        guard Array(place[..<16]) == schema.version.bytes else {
            throw .invalid(
                message:
                    "The schema has changed since the previous page of the DESCRIBE statement result. Please retry "
                    + "the DESCRIBE statement.")
        }
        return Int(clamping: max(0, Number.integer(Array(place[16...]))))
    }
}
