import Primitives
import SimulatedHost

/// Timestamps that clients give, each once, from clocks that may be seconds off: what is newest is then not always what
/// came last.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class ClientTimestamps: @unchecked Sendable {
    private let clock: HistoryClock
    private var used: Set<Int64> = []

    init(_ clock: HistoryClock) {
        self.clock = clock
    }

    /// Draws the next one, in microseconds since 1970.
    func next(_ client: WorkloadClient) -> Int64 {
        var timestamp: Int64 = now
        if client.generator.oneIn(4) { timestamp += Int64(client.generator.below(4_000_000)) - 2_000_000 }
        return unused(timestamp)
    }

    /// One that is larger than all that were given earlier by right clocks.
    func nextInOrder() -> Int64 { unused(now) }

    private var now: Int64 { SimulatedTime.startMicroseconds + Int64(clamping: clock.nanoseconds / 1_000) }

    private func unused(_ wanted: Int64) -> Int64 {
        var timestamp: Int64 = wanted
        while !used.insert(timestamp).inserted { timestamp += 1 }
        return timestamp
    }
}
