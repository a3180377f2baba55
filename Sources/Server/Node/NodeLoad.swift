import Cluster
import DataModel
import Environment
import Primitives
import Query
import Storage

/// How much data this node has, and that the others hear of it (`nodetool status`).
final class NodeLoad: Sendable {
    /// How often it is looked at; gossip carries only what differs by a hundredth, for it is a figure for people.
    private static let interval: Duration = .seconds(5)

    private let work: any BackgroundWork

    /// Begins to tell the others.
    init(of engine: StorageEngine, _ metadata: MetadataLog, through gossip: GossipLoop, on host: Host) {
        let time: any TimeSource = host.time
        self.work = host.background.run("tell the load", on: host.loops[0]) {
            var told: Int?
            while true {
                let byteCount: Int = await NodeLoad.byteCount(of: engine, metadata.current?.schema ?? Schema())
                if told.map({ abs(byteCount - $0) > $0 / 100 }) ?? true {
                    told = byteCount
                    // Cassandra's readers of this value expect a number with a point.
                    gossip.publish(.load, "\(byteCount).0")
                }
                do throws(CancellationError) {
                    try await time.sleep(for: NodeLoad.interval)
                } catch { return }
            }
        }
    }

    func stop() async {
        work.cancel()
        await work.wait()
    }

    /// Bytes of all tables, in files and in memory.
    static func byteCount(of engine: StorageEngine, _ shared: Schema) async -> Int {
        var byteCount = 0
        for keyspace in LiveSchema.whole(shared).sortedKeyspaces where !keyspace.isVirtual {
            for table in keyspace.sortedTables {
                // A table that is dropped at this moment has no load.
                guard let statistics = try? await engine.statistics(of: table.id) else { continue }
                byteCount += statistics.diskByteCount + statistics.memtableByteCount
            }
        }
        return byteCount
    }
}
