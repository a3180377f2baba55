package import DataModel

/// From when on the tombstones of a token stay, however old they are: what was made in this second or later. Asked with
/// the token and the present second, on the loop of any shard.
///
/// Whoever knows the other replicas gives it (`StorageEngine.open`); storage alone knows the grace only.
package typealias PurgeStart = @Sendable (_ token: Token, _ nowSeconds: Int64) -> Int64

/// Finds the rule for a table when a compaction of it begins; nil for the grace alone.
package typealias PurgeRule = @Sendable (TableDefinition) -> PurgeStart?
