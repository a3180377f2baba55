import Cluster
import Primitives
import Storage
import Synchronization

/// Ranges of a table from one node, which are live here.
struct FetchedUnit: Sendable {
    let table: UUID
    let source: NodeID
    let ranges: TokenRanges
    /// What the source knew before.
    var past = StreamedPast()
}

/// One pull as others see it: how far it is with each node, and whether it is to end.
final class PullControl: Sendable {
    let id: UUID
    let title: String
    private let startedMicroseconds: Int64
    private let cancelled = Atomic<Bool>(false)
    private let peers = Mutex<[NodeID: StreamProgress]>([:])
    private let fetched = Mutex<[FetchedUnit]>([])

    init(id: UUID, title: String, startedMicroseconds: Int64) {
        self.startedMicroseconds = startedMicroseconds
        self.id = id
        self.title = title
    }

    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    func cancel() {
        cancelled.store(true, ordering: .relaxed)
    }

    /// Changes what is known about the stream with a node.
    func note(_ node: NodeID, _ change: (inout StreamProgress) -> Void) {
        peers.withLock { peers in
            var first = StreamProgress(id: id, title: title, peer: node, isIncoming: true)
            first.startedMicroseconds = startedMicroseconds
            change(&peers[node, default: first])
        }
    }

    func noteFetched(_ unit: FetchedUnit) {
        fetched.withLock { $0.append(unit) }
    }

    /// What is live of it, with all of its ranges at least; nil when they are not.
    func fetched(_ unit: FetchedUnit) -> FetchedUnit? {
        fetched.withLock { units in
            units.first { known in
                known.table == unit.table && known.source == unit.source
                    && unit.ranges.runs.allSatisfy { known.ranges.contains($0) }
            }
        }
    }

    /// By node, ascending.
    var progress: [StreamProgress] {
        peers.withLock { $0.values.sorted { $0.peer < $1.peer } }
    }

    /// A pull that has succeeded is done: whoever asks for the same again wants it anew.
    func forgetFetched() {
        fetched.withLock { $0 = [] }
    }

    func end(_ failure: String?, atMicroseconds now: Int64) {
        if failure == nil { forgetFetched() }
        peers.withLock { peers in
            for node in peers.keys {
                peers[node]?.isDone = true
                peers[node]?.endedMicroseconds = now
                peers[node]?.table = nil
                peers[node]?.failure = failure
            }
        }
    }
}
