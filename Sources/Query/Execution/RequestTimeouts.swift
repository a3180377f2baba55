package import Environment

/// How long the kinds of work may take before the client is told that time is up.
package struct RequestTimeouts: Sendable, Equatable {
    /// Reads of named partitions (`read_request_timeout`).
    package var read: Duration = .seconds(5)
    /// Reads of ranges of partitions (`range_request_timeout`).
    package var range: Duration = .seconds(10)
    /// Writes (`write_request_timeout`).
    package var write: Duration = .seconds(2)
    /// Writes of counters (`counter_write_request_timeout`).
    package var counterWrite: Duration = .seconds(5)
    /// How long a conditional statement waits for others in its partition (`cas_contention_timeout`).
    package var contention: Duration = .milliseconds(1_800)
    /// TRUNCATE (`truncate_request_timeout`).
    package var truncate: Duration = .seconds(60)
    /// Everything else, such as changes of the schema (`request_timeout`).
    package var other: Duration = .seconds(10)

    package init() {}
}

/// What bounds the statements of a node.
package struct ExecutionLimits: Sendable {
    package var timeouts = RequestTimeouts()
    /// Bytes of prepared statements that a shard keeps (`prepared_statements_cache_size`).
    package var statementCacheByteCount = 10 << 20

    package init() {}
}

/// A moment after which a client does not wait any longer.
package struct Deadline: Sendable {
    /// On the monotonic clock.
    package let nanoseconds: UInt64

    package init(_ limit: Duration, _ time: any TimeSource) {
        self.nanoseconds = time.monotonicNanoseconds &+ limit.clampedNanoseconds
    }

    /// How long there is until then; zero when it has passed.
    package func left(_ time: any TimeSource) -> Duration {
        let now: UInt64 = time.monotonicNanoseconds
        return now >= nanoseconds ? .zero : .nanoseconds(Int64(clamping: nanoseconds - now))
    }

    /// As `left`, for messages: whole milliseconds, rounded up, so that there are none only when the time is over.
    package func leftMilliseconds(_ time: any TimeSource) -> UInt32 {
        let now: UInt64 = time.monotonicNanoseconds
        guard now < nanoseconds else { return 0 }
        return UInt32(clamping: (nanoseconds - now - 1) / 1_000_000 + 1)
    }

    package func hasPassed(_ time: any TimeSource) -> Bool { time.monotonicNanoseconds >= nanoseconds }
}

extension Duration {
    /// Nanoseconds; 0 when negative, and never so many that a sum with the clock wraps.
    package var clampedNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        if seconds < 0 || attoseconds < 0 { return 0 }
        let (product, overflows) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        return overflows ? .max / 2 : min(.max / 2, product &+ UInt64(attoseconds) / 1_000_000_000)
    }
}

/// A write was not acknowledged in time; it may still become durable.
struct WriteTimedOut: Error {}

/// Waits for work that must not keep a client waiting for ever. What comes too late goes on, and nobody hears of it.
///
/// `Sendable` is unchecked because everything happens on one loop: the waiting, the work and the timer.
private final class TimedWork<Value: Sendable>: @unchecked Sendable {
    private var continuation: UnsafeContinuation<Result<Value, any Error>?, Never>?
    private var timer: (any LoopTimer)?

    func start(_ continuation: UnsafeContinuation<Result<Value, any Error>?, Never>, _ timer: any LoopTimer) {
        self.continuation = continuation
        self.timer = timer
    }

    func finish(_ result: Result<Value, any Error>?) {
        timer?.cancel()
        timer = nil
        let waiting = continuation
        continuation = nil
        waiting?.resume(returning: result)
    }
}

extension Host {
    /// Runs `work` on `loop`, where the caller is too, for at most `limit`; nil when time was up first.
    func within<Value: Sendable>(
        _ limit: Duration, on loop: any Loop, _ name: StaticString,
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value? {
        let timed = TimedWork<Value>()
        let background: any Background = self.background
        let result: Result<Value, any Error>? = await withUnsafeContinuation { continuation in
            timed.start(continuation, loop.schedule(after: limit) { timed.finish(nil) })
            background.run(name, on: loop) {
                do {
                    timed.finish(.success(try await work()))
                } catch { timed.finish(.failure(error)) }
            }
        }
        return try result?.get()
    }
}
