package import DataModel

/// Lets one request at a time read a partition and write what follows from it; others wait in the order they came.
///
/// Confined to one shard's loop. Plain writes take no lock: they depend on nothing that they read.
package final class PartitionLocks {
    private var waiting: [Token: [UnsafeContinuation<Void, Never>]] = [:]

    package init() {}

    package func enter(_ token: Token) async {
        guard waiting[token] != nil else {
            waiting[token] = []
            return
        }
        await withUnsafeContinuation { waiting[token]?.append($0) }
    }

    package func leave(_ token: Token) {
        guard var queue = waiting[token] else { return }
        if queue.isEmpty {
            waiting[token] = nil
            return
        }
        let next = queue.removeFirst()
        waiting[token] = queue
        next.resume()
    }
}
