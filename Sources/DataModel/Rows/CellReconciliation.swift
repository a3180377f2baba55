/// Which of two versions of a cell survives. Commutative, associative and idempotent, so replicas agree whatever the
/// order in which they hear of writes.
///
/// The rules are Cassandra's (`Cells.reconcile`): the later timestamp; on a tie whatever dies (a tombstone, or a cell
/// that expires) beats what lives; a tombstone beats a cell that expires; then the later death; then the greater value
/// bytes. Two that still tie differ at most in their time to live; the shorter one stays, to make the order total.
public enum CellReconciliation {
    /// Whether `left` survives `right`. Both belong to the same column and path, and neither is a column's deletion.
    ///
    /// Hot: once per cell that two versions of a row share.
    @inlinable
    public static func leftSurvives(_ left: Cell, _ leftBytes: RawSpan, _ right: Cell, _ rightBytes: RawSpan) -> Bool {
        if left.isTombstone != right.isTombstone, left.flags.union(right.flags).contains(.counter) {
            // A deleted counter stays deleted whatever the timestamps, as in Cassandra: those of merged counts say
            // nothing of the single ones, so comparing them would depend on the order of merging.
            return left.isTombstone
        }
        if left.timestamp != right.timestamp { return left.timestamp > right.timestamp }
        let leftMortal: Bool = left.flags.rawValue & 0x03 != 0
        let rightMortal: Bool = right.flags.rawValue & 0x03 != 0
        if leftMortal != rightMortal { return leftMortal }
        if left.isTombstone != right.isTombstone { return left.isTombstone }
        if leftMortal, left.seconds != right.seconds { return left.seconds > right.seconds }
        if left.isTombstone { return true }
        let order: Int = ByteOrder.compare(
            leftBytes.extracting(left.valueOffset..<(left.valueOffset &+ left.valueByteCount)),
            rightBytes.extracting(right.valueOffset..<(right.valueOffset &+ right.valueByteCount)))
        if order != 0 { return order > 0 }
        return left.ttl <= right.ttl
    }
}
