import CQL
package import Coordination
package import DataModel
package import Environment
package import Storage
import Synchronization

/// All shards of a node.
///
/// `Sendable` is unchecked because the list of executors is filled at start, before anybody else has the group.
public final class ShardGroup: @unchecked Sendable {
    package let engine: StorageEngine
    package let host: Host
    public private(set) var executors: [ShardExecutor] = []
    package let slices: ShardSlices
    package let coordination: NodeCoordination
    private let heldTraceProbability = Mutex(0.0)

    package init(
        engine: StorageEngine, host: Host, node: NodeContext, catalog: Catalog, coordination: NodeCoordination,
        limits: ExecutionLimits = ExecutionLimits()
    ) {
        self.engine = engine
        self.host = host
        self.coordination = coordination
        self.slices = ShardSlices(count: engine.shards.count)
        coordination.tables.take(catalog.replications)
        self.executors = engine.shards.enumerated().map { index, store in
            ShardExecutor(
                index: index, store: store, host: host, node: node, group: self, catalog: catalog,
                coordination: coordination.shards[index], limits: limits)
        }
    }

    /// Of how many requests one is traced without its client having asked for it, from 0 to 1 (`settraceprobability`).
    package var traceProbability: Double {
        get { heldTraceProbability.withLock { $0 } }
        set {
            let chance: Double = newValue > 0 ? min(newValue, 1) : 0
            heldTraceProbability.withLock { $0 = chance }
            let threshold: UInt64 = chance < 1 ? UInt64(chance * 0x1p64) : .max
            for executor in executors { executor.loop.execute { executor.traceThreshold = threshold } }
        }
    }

    /// Runs work on a shard's loop and waits for what it comes to.
    package func run<Value: Sendable>(
        on shard: Int, _ work: @escaping @Sendable (ShardExecutor) async throws -> Value
    ) async throws -> Value {
        try await start(on: shard, work).get()
    }

    private func start<Value: Sendable>(
        on shard: Int, _ work: @escaping @Sendable (ShardExecutor) async throws -> Value
    ) -> Outcome<Value> {
        let executor: ShardExecutor = executors[shard]
        let outcome = Outcome<Value>()
        outcome.running = host.background.run("shard work", on: executor.loop) {
            do {
                outcome.value = .success(try await work(executor))
            } catch { outcome.value = .failure(error) }
        }
        return outcome
    }

    /// Does work of one kind on several shards at once and waits for all of it, also when some of it fails.
    ///
    /// - Parameters:
    ///   - items: for each shard what it has to do; shards with nothing are left alone.
    ///   - own: the shard that the caller runs on, which does its part itself.
    package func run<Item: Sendable, Value: Sendable>(
        _ items: [[Item]], from own: ShardExecutor,
        _ work: @escaping @Sendable (ShardExecutor, [Item]) async throws -> Value
    ) async throws -> [Value] {
        var started: [Outcome<Value>] = []
        for (shard, part) in items.enumerated() where shard != own.index && !part.isEmpty {
            started.append(start(on: shard) { executor in try await work(executor, part) })
        }
        var results: [Result<Value, any Error>] = []
        if !items[own.index].isEmpty {
            do {
                results.append(.success(try await work(own, items[own.index])))
            } catch { results.append(.failure(error)) }
        }
        for outcome in started {
            do {
                results.append(.success(try await outcome.get()))
            } catch { results.append(.failure(error)) }
        }
        return try results.map { try $0.get() }
    }

    /// Gives every shard a new catalog, one after the other; returns when all have it.
    package func publish(_ catalog: Catalog) async throws {
        coordination.tables.take(catalog.replications)
        for shard in executors.indices {
            try await run(on: shard) { executor in executor.take(catalog) }
        }
    }

    /// Written by the work before it ends, read once the end was awaited.
    private final class Outcome<Value>: @unchecked Sendable {
        var value: Result<Value, any Error>?
        var running: (any BackgroundWork)?

        func get() async throws -> Value {
            await running?.wait()
            guard let value else { throw CQLError.serverError(message: "The node is stopping") }
            return try value.get()
        }
    }
}

extension ShardExecutor {
    /// Plans against another schema from now on, and forgets statements that do not hold in it.
    func take(_ catalog: Catalog) {
        self.catalog = catalog
        placements.forget()
        statements.keepOnly { $0.holds(in: catalog) }
    }
}
