import Coordination
import Environment
import Query
import Storage
import Synchronization

/// The settings of a node that runs: those of its start, and what operators have changed since.
///
/// Changes last until the node stops; the file is what it was.
final class LiveSettings: Sendable {
    private let configuration: Mutex<NodeConfiguration>

    init(_ configuration: NodeConfiguration) {
        self.configuration = Mutex(configuration)
    }

    var now: NodeConfiguration { configuration.withLock { $0 } }

    func text(_ name: String) -> String { now.text(name) }

    func take(_ configuration: NodeConfiguration) {
        self.configuration.withLock { $0 = configuration }
    }

    /// How a setting takes effect: what is done once its new value is known to be one.
    typealias Effect = @Sendable (NodeConfiguration, Node.Parts) async throws -> Void

    /// The settings that can be changed while the node runs.
    static let effects: [String: Effect] = {
        let timeouts: Effect = { configuration, parts in
            let timeouts: RequestTimeouts = configuration.execution.timeouts
            for shard in parts.group.executors.indices {
                try await parts.group.run(on: shard) { $0.take(timeouts) }
            }
        }
        let streams: Effect = { configuration, parts in
            let settings: StreamSettings = configuration.streams
            await parts.streams.source.setThroughput(
                bytesPerSecond: settings.bytesPerSecond, interDatacenter: settings.interDatacenterBytesPerSecond)
        }
        return [
            "read_request_timeout": timeouts, "range_request_timeout": timeouts, "write_request_timeout": timeouts,
            "counter_write_request_timeout": timeouts, "cas_contention_timeout": timeouts,
            "truncate_request_timeout": timeouts, "request_timeout": timeouts,
            "compaction_throughput": { configuration, parts in
                try await parts.engine.setCompactionThroughput(configuration.storage.compactionByteCountPerSecond)
            },
            "repair_throughput": { configuration, parts in
                try await parts.engine.setHashThroughput(configuration.storage.hashByteCountPerSecond)
            },
            "continuous_repair": { configuration, parts in
                parts.repair.current?.continuous.setEnabled(configuration.boolean("continuous_repair"))
            },
            "snapshot_links_per_second": { configuration, parts in
                parts.engine.setSnapshotPace(linksPerSecond: configuration.integer("snapshot_links_per_second"))
            },
            "incremental_backups": { configuration, parts in
                try await parts.engine.setBackups(configuration.boolean("incremental_backups"))
            },
            "hinted_handoff_enabled": { configuration, parts in
                await parts.hints.setEnabled(configuration.boolean("hinted_handoff_enabled"))
            },
            "hinted_handoff_throttle": { configuration, parts in
                await parts.delivery.setThrottle(bytesPerSecond: configuration.hints.throttleBytesPerSecond)
            },
            "max_hint_window": { configuration, parts in parts.hints.setWindow(configuration.hints.window) },
            "batchlog_replay_throttle": { configuration, parts in
                parts.coordination.batchLog.setThrottle(
                    bytesPerSecond: configuration.batchLog.throttleBytesPerSecond)
            },
            "stream_throughput_outbound": streams, "inter_dc_stream_throughput_outbound": streams,
        ]
    }()
}
