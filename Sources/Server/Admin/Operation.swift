import Administration
package import DataModel
import Environment
package import Primitives
import Query
import Synchronization

/// A piece of work for an operator that takes long: what it is, how far it is, and how it has ended.
///
/// Repairs, compactions and their like are begun with `Operations.begin`; whoever carries them out says how far they are
/// with `note`, or gives a way to find out. Nobody has to look: the work lives for itself.
package final class Operation: Sendable {
    private struct Life {
        var state: OperationReport.State = .running
        var done = 0
        var total = 0
        var unit = "bytes"
        var activity: String?
        var reason: String?
        var result: JSONValue = .null
        var endedAt: UInt64?
        var isStopWanted = false
        var measure: (@Sendable () async -> (done: Int, total: Int)?)?
        var stop: (@Sendable () async -> Void)?
    }

    package let id: UUID
    package let name: String
    private let time: any TimeSource
    private let startedMilliseconds: Int64
    private let startedAt: UInt64
    private let life = Mutex(Life())

    init(_ name: String, id: UUID, time: any TimeSource) {
        self.id = id
        self.name = name
        self.time = time
        self.startedAt = time.monotonicNanoseconds
        self.startedMilliseconds = time.wallMicroseconds / 1_000
    }

    // MARK: For whoever does it

    package func note(done: Int, of total: Int, unit: String = "bytes") {
        life.withLock { life in
            life.done = done
            life.total = total
            life.unit = unit
        }
    }

    /// Says what is being done now.
    package func note(_ activity: String) {
        life.withLock { $0.activity = activity }
    }

    /// Says how to find out how far the work is, in bytes.
    package func measure(_ measure: @escaping @Sendable () async -> (done: Int, total: Int)?) {
        life.withLock { $0.measure = measure }
    }

    /// Says how the work is ended early.
    package func whenStopped(_ stop: @escaping @Sendable () async -> Void) {
        life.withLock { $0.stop = stop }
    }

    /// Whether somebody wants it ended; asked between its steps.
    package var isStopWanted: Bool { life.withLock(\.isStopWanted) }

    func end(_ state: OperationReport.State, reason: String? = nil, result: JSONValue = .null) {
        life.withLock { life in
            life.state = state
            life.reason = reason
            life.result = result
            life.activity = nil
            life.measure = nil
            life.stop = nil
            if state == .done, life.total > 0 { life.done = life.total }
            life.endedAt = time.monotonicNanoseconds
        }
    }

    // MARK: For whoever looks

    var hasEnded: Bool { life.withLock { $0.state != .running } }

    /// Asks the work to end.
    func stop() async {
        let stop = life.withLock { life in
            life.isStopWanted = true
            return life.stop
        }
        await stop?()
    }

    /// How it is now.
    func present() async -> OperationReport {
        let measure = life.withLock { $0.measure }
        if let found = await measure?() {
            life.withLock { life in
                guard life.state == .running else { return }
                life.done = found.done
                life.total = found.total
            }
        }
        return report
    }

    var report: OperationReport {
        let life: Life = life.withLock { $0 }
        let end: UInt64 = life.endedAt ?? time.monotonicNanoseconds
        return OperationReport(
            id: id.description, name: name, state: life.state, done: life.done, total: life.total, unit: life.unit,
            startedMilliseconds: Int(startedMilliseconds),
            durationMilliseconds: Int(clamping: (end &- startedAt) / 1_000_000), activity: life.activity,
            reason: life.reason, result: life.result)
    }
}

/// The operations of a node: those that run, and the last ones that have ended.
package final class Operations: Sendable {
    private static let keptCount = 64

    private let all = Mutex<[Operation]>([])
    private let host: Host

    init(host: Host) {
        self.host = host
    }

    /// Begins a piece of work, on loop 0.
    ///
    /// - Parameters:
    ///   - name: what it is called.
    ///   - body: does it, and returns what it has come to. What it throws is why it has failed; `CancellationError`
    ///     that it was ended early.
    package func begin(
        _ name: String, _ body: @escaping @Sendable (Operation) async throws -> JSONValue
    ) -> Operation {
        let ticks = UInt64(bitPattern: host.time.wallMicroseconds &* 10 &+ UUID.unixEpoch)
        let operation = Operation(
            name, id: .timeBased(timestamp: ticks, low: host.entropy.next() | 0x0000_0100_0000_0000), time: host.time)
        all.withLock { all in
            all.append(operation)
            if all.count > Operations.keptCount, let index = all.firstIndex(where: \.hasEnded) { all.remove(at: index) }
        }
        host.background.run("operation", on: host.loops[0]) {
            do {
                operation.end(.done, result: try await body(operation))
            } catch is CancellationError {
                operation.end(.stopped, reason: "It was stopped.")
            } catch let failure as AdminFailure {
                operation.end(.failed, reason: failure.reason)
            } catch {
                let reason: String = StorageFailure.words(error)
                operation.end(operation.isStopWanted ? .stopped : .failed, reason: reason)
            }
        }
        return operation
    }

    /// All that are known, oldest first.
    var known: [Operation] { all.withLock { $0 } }

    func find(_ id: String) -> Operation? { known.first { $0.id.description == id } }
}
