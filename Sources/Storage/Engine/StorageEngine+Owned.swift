import DataModel
import Environment
package import Primitives

/// What this node is to keep of tables, which the ring says.
extension StorageEngine {
    /// Says which tokens of some tables, or of all when nil, are to be kept; nil for all tokens. Compactions leave
    /// partitions of other tokens out from now on, and a background pass removes those that files have.
    ///
    /// Nothing of it is on the disk: it is said again after each start, and until then everything is kept. It must not
    /// be said while anybody may still need what it takes away.
    package func setOwnedRanges(_ ranges: TokenRanges?, tables: [UUID]?) async throws(StorageError) {
        try await onEachShard("set owned ranges") { (shard) throws(StorageError) in
            for id in tables ?? shard.tableIDs {
                if let table = shard.table(id) { await shard.setOwned(ranges, of: table) }
            }
        }
    }

    /// Removes at once what tables have of tokens that are not to be kept; of all tables when nil.
    ///
    /// - Returns: how many files were rewritten or removed.
    @discardableResult
    package func cleanup(tables: [UUID]? = nil) async throws(StorageError) -> Int {
        let calls: [LoopCall<Int>] = shards.map { shard in
            LoopCall<Int>("clean up tables", on: shard.loop, of: host) { () throws(StorageError) in
                var count = 0
                for id in tables ?? shard.tableIDs {
                    if let table = shard.table(id) { count += try await shard.clean(table) }
                }
                return count
            }
        }
        var count = 0
        var failure: StorageError?
        for call in calls {
            do throws(StorageError) {
                count += try await call.value()
            } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
        return count
    }
}
