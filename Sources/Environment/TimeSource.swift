/// The clocks, and waiting for them.
public protocol TimeSource: Sendable {
    /// Microseconds since 1970-01-01 UTC. May jump in either direction.
    var wallMicroseconds: Int64 { get }

    /// Nanoseconds since an arbitrary start; never goes back.
    var monotonicNanoseconds: UInt64 { get }

    /// Returns after `duration`; throws when the task is cancelled.
    func sleep(for duration: Duration) async throws(CancellationError)
}

/// Where random bits come from.
public protocol Entropy: Sendable {
    /// 64 unpredictable bits; in a simulation, the next 64 bits of its seed.
    func next() -> UInt64
}

extension TimeSource {
    /// Seconds since 1970-01-01 UTC, the unit of expiry and deletion times.
    @inlinable public var wallSeconds: Int64 { wallMicroseconds / 1_000_000 }
}
