internal import Cluster
internal import Environment
internal import Primitives
internal import Synchronization

/// What all loops know of one replica that hints are kept for.
final class HintTarget: Sendable {
    let id: NodeID
    /// Since when it is down, in microseconds since 1970; the largest number while it is up or nobody knows.
    let outageStart = Atomic<Int64>(.max)
    /// Bytes of hints that wait for the disk or are on it.
    let pendingByteCount = Atomic<Int>(0)
    let isEnabled: Atomic<Bool>

    init(id: NodeID, isEnabled: Bool) {
        self.id = id
        self.isEnabled = Atomic(isEnabled)
    }
}

/// Hints of one loop for one replica that wait for the disk, as bodies of records, each after its length.
///
/// `Sendable` is unchecked because it belongs to the loop that fills it until it is taken, and then to loop 0.
final class HintRun: @unchecked Sendable {
    let target: HintTarget
    var bodies = ByteWriter(capacity: 1_024)
    var hintCount = 0
    var waiting: [UnsafeContinuation<HintRefusal?, Never>] = []

    init(target: HintTarget) {
        self.target = target
    }
}

/// Hints of one loop that wait for the disk.
///
/// `Sendable` is unchecked because all uses are on that loop.
final class HintBuffer: @unchecked Sendable {
    private var runs: [NodeID: HintRun] = [:]
    private(set) var byteCount = 0
    /// Whether the store was told that there is something to do, since the last `take`.
    var hasRung = false

    func run(for id: NodeID) -> HintRun? { runs[id] }

    func begin(_ target: HintTarget) -> HintRun {
        let run = HintRun(target: target)
        runs[target.id] = run
        return run
    }

    func add(_ created: Int64, _ grace: UInt32, _ mutation: RawSpan, to run: HintRun) {
        let bodyByteCount: Int = HintRecord.bodyHeadByteCount + mutation.byteCount
        run.bodies.write(UInt32(truncatingIfNeeded: bodyByteCount))
        run.bodies.write(created)
        run.bodies.write(grace)
        run.bodies.write(mutation)
        run.hintCount += 1
        byteCount += bodyByteCount + HintRecord.headByteCount
    }

    /// Hands all over, ascending by replica, and starts anew.
    func take() -> [HintRun] {
        let taken: [HintRun] = runs.values.filter { $0.hintCount > 0 }.sorted { $0.target.id < $1.target.id }
        runs = [:]
        byteCount = 0
        hasRung = false
        return taken
    }
}

/// Lets one piece of `async` work at a time through, in the order in which they came. Confined to loop 0.
///
/// `Sendable` is unchecked because all uses are on loop 0.
final class HintGate: @unchecked Sendable {
    private var isTaken = false
    private var waiting: [UnsafeContinuation<Void, Never>] = []

    func enter() async {
        guard isTaken else {
            isTaken = true
            return
        }
        await withUnsafeContinuation { waiting.append($0) }
    }

    func leave() {
        if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
    }
}

/// Whoever waits goes on once it has been rung since the last wait. One waiter. Confined to loop 0.
///
/// `Sendable` is unchecked because all uses are on loop 0.
final class HintBell: @unchecked Sendable {
    private var isRung = false
    private var waiter: UnsafeContinuation<Void, Never>?

    func ring() {
        guard let waiter else {
            isRung = true
            return
        }
        self.waiter = nil
        waiter.resume()
    }

    func wait() async {
        if isRung {
            isRung = false
            return
        }
        await withUnsafeContinuation { waiter = $0 }
    }
}
