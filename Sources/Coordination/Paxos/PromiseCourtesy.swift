import DataModel

/// Who is about to decide something in which partition, so that others let him finish who began later.
///
/// Safety does not need it: refusing a ballot is always allowed. It makes that contenders do not overtake each other for
/// ever: for a short while after a promise only those who have waited longer get another one. It is forgotten with the
/// process, and what it says of a coordinator that died is soon over.
///
/// Hot: a look for each ballot of a replica.
struct PromiseCourtesy {
    private struct Holder {
        var since: Int64
        var ballot: Ballot
        var untilNanoseconds: UInt64
    }

    private var holders: [Token: Holder] = [:]
    private let nanoseconds: UInt64
    /// Beyond this many partitions no more courtesy is shown.
    private static let limit = 16_384

    init(_ duration: Duration) {
        self.nanoseconds = UInt64(max(0, min(3.6e12, duration / .nanoseconds(1))))
    }

    /// Whether a request that began at `since` has to wait for another one.
    func mustWait(_ token: Token, since: Int64, now: UInt64) -> Bool {
        guard let holder = holders[token], now < holder.untilNanoseconds else { return false }
        return holder.since < since
    }

    mutating func promised(_ token: Token, _ ballot: Ballot, since: Int64, now: UInt64) {
        if holders.count >= PromiseCourtesy.limit, holders[token] == nil {
            holders = holders.filter { now < $0.value.untilNanoseconds }
            if holders.count >= PromiseCourtesy.limit { return }
        }
        holders[token] = Holder(since: since, ballot: ballot, untilNanoseconds: now &+ nanoseconds)
    }

    /// What a ballot was for is done.
    mutating func finished(_ token: Token, _ ballot: Ballot) {
        if let holder = holders[token], holder.ballot <= ballot { holders[token] = nil }
    }
}
