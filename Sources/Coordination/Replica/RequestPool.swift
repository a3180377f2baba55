/// An object for a request that is used again and again.
protocol PooledRequest: AnyObject {
    /// Where its pool has it while it is in use. The pool's own.
    var place: Int { get set }
}

/// The objects of requests: those in use, and those that wait to be used again.
///
/// Looking at all that are in use costs as much as there are of them, whatever there was before; after a burst the others go
/// little by little (`trim`). Taking and giving back allocates nothing but what was never there.
///
/// Hot: once per request.
struct RequestPool<Request: PooledRequest> {
    /// In no order.
    private(set) var inUse: ContiguousArray<Request> = []
    private var free: ContiguousArray<Request> = []
    /// The most that were in use since the last `trim`.
    private var peakCount = 0

    /// So many are always kept.
    static var keptCount: Int { 256 }

    /// All objects there are.
    var count: Int { inUse.count &+ free.count }
    /// Whether there are more than are always kept.
    var isLarge: Bool { count > Self.keptCount }

    mutating func take(orMake make: () -> Request) -> Request {
        let request: Request = free.popLast() ?? make()
        request.place = inUse.count
        inUse.append(request)
        if inUse.count > peakCount { peakCount = inUse.count }
        return request
    }

    mutating func giveBack(_ request: Request) {
        let place: Int = request.place
        let last: Request = inUse.removeLast()
        if last !== request {
            inUse[place] = last
            last.place = place
        }
        free.append(request)
    }

    /// Lets go of half of what nobody has needed since the last call. To be called now and then.
    mutating func trim() {
        let needed: Int = max(Self.keptCount, peakCount)
        peakCount = inUse.count
        guard count > needed else { return }
        let surplus: Int = count - needed
        free.removeLast(min(free.count, max(1, surplus / 2 + surplus % 2)))
    }
}
