import Cluster
import Primitives
import Synchronization

/// One pull as others see it: how far it is with each node, and whether it is to end.
final class PullControl: Sendable {
    let id: UUID
    let title: String
    private let cancelled = Atomic<Bool>(false)
    private let peers = Mutex<[NodeID: StreamProgress]>([:])

    init(id: UUID, title: String) {
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
            change(&peers[node, default: StreamProgress(id: id, title: title, peer: node, isIncoming: true)])
        }
    }

    /// By node, ascending.
    var progress: [StreamProgress] {
        peers.withLock { $0.values.sorted { $0.peer < $1.peer } }
    }

    func end(_ failure: String?) {
        peers.withLock { peers in
            for node in peers.keys {
                peers[node]?.isDone = true
                peers[node]?.table = nil
                peers[node]?.failure = failure
            }
        }
    }
}
