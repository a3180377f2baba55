import Administration
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Query

/// Nodes that come, go and move, as operators see them and have it done.
extension LiveAdministration {
    var membershipRoutes: [AdminRoute] { departureRoutes + changeRoutes + dataRoutes }

    private var departureRoutes: [AdminRoute] {
        [
            .work("/ring/decommission") { (request) throws(AdminFailure) in
                let isForced: Bool = request.parameter("force") == "true"
                return try self.change("decommission") { try await $0.decommission(isForced: isForced) }
            },
            .work("/ring/removenode") { (request) throws(AdminFailure) in
                let node: NodeID = try self.node(request)
                let isForced: Bool = request.parameter("force") == "true"
                return try self.change("removenode") { try await $0.remove(node, isForced: isForced) }
            },
            .change("/ring/assassinate") { (request) throws(AdminFailure) in
                let node: NodeID = try self.node(request)
                let parts: Node.Parts = try self.current().parts
                guard !parts.gossip.liveness.isAlive(node) else {
                    throw .unavailable("The node is alive: 'nodetool decommission' on it takes it out of the ring.")
                }
                try await self.carryOut { try await parts.ring.assassinate(node) }
            },
            .work("/ring/move") { (request) throws(AdminFailure) in
                var tokens: [Token] = []
                for text in request.parameters("token") {
                    guard let value = Int64(text) else { throw .invalid("\(text) is no token.") }
                    tokens.append(Token(value))
                }
                let wanted: [Token] = tokens
                return try self.change("move") { try await $0.move(to: wanted) }
            },
        ]
    }

    private var changeRoutes: [AdminRoute] {
        [
            .get("/ring/changes") { (_) throws(AdminFailure) in
                let (parts, metadata) = try self.current()
                var changes: [JSONValue] = []
                for change in metadata.changes {
                    changes.append(
                        LiveAdministration.json(change, await parts.ring.progress(of: change.id), metadata))
                }
                return .record(["changes": .array(changes)])
            },
            .work("/ring/resume") { (request) throws(AdminFailure) in
                let change: RingChange = try self.chosenChange(request)
                return try self.change("resume") { ring in
                    try await ring.resume(change.id)
                    return change.id
                }
            },
            .work("/ring/abort") { (request) throws(AdminFailure) in
                let change: RingChange = try self.chosenChange(request)
                let ring: RingOperations = try self.current().parts.ring
                return self.operations.begin("abort") { _ in
                    try await ring.abort(change.id)
                    guard try await ring.end(of: change.id) == .aborted else {
                        throw AdminFailure.unavailable("The change ended before it could be aborted.")
                    }
                    return .record(["change": .string(change.id.description)])
                }
            },
            .work("/ring/force") { (request) throws(AdminFailure) in
                let change: RingChange = try self.chosenChange(request)
                return try self.change("force") { ring in
                    try await ring.force(change.id)
                    return change.id
                }
            },
        ]
    }

    private var dataRoutes: [AdminRoute] {
        [
            .work("/ring/rebuild") { (request) throws(AdminFailure) in
                let (parts, metadata) = try self.current()
                let datacenter: String? = request.parameter("datacenter")
                let names: [String] = request.parameters("keyspace")
                if let datacenter, !metadata.members.contains(where: { $0.datacenter == datacenter }) {
                    throw .invalid("Provided datacenter '\(datacenter)' is not a valid datacenter")
                }
                for name in names where metadata.schema.keyspace(name) == nil {
                    throw .invalid("The keyspace \(name) does not exist.")
                }
                return self.operations.begin("rebuild") { operation in
                    LiveAdministration.measure(operation, parts.streams)
                    try await parts.ring.rebuild(from: datacenter, keyspaces: names.isEmpty ? nil : names)
                    return .object([])
                }
            },
            .work("/cleanup") { (request) throws(AdminFailure) in
                let (parts, metadata) = try self.current()
                let names: [String] = request.parameters("keyspace")
                for name in names where metadata.schema.keyspace(name) == nil {
                    throw .invalid("The keyspace \(name) does not exist.")
                }
                return self.operations.begin("cleanup") { _ in
                    try await parts.ring.cleanup(names.isEmpty ? nil : names)
                    return .object([])
                }
            },
            .get("/streams") { (_) throws(AdminFailure) in
                let (parts, metadata) = try self.current()
                let all: [StreamProgress] = parts.streams.receiver.progress() + (await parts.streams.source.progress())
                return .record(["streams": .array(all.map { LiveAdministration.json($0, metadata) })])
            },
        ]
    }

    // MARK: Changes

    /// Begins a change of the ring and follows it to its end.
    private func change(
        _ name: String, _ begin: @escaping @Sendable (RingOperations) async throws -> UUID
    ) throws(AdminFailure) -> Operation {
        let parts: Node.Parts = try current().parts
        return operations.begin(name) { operation in
            let ring: RingOperations = parts.ring
            let id: UUID = try await begin(ring)
            operation.whenStopped {
                // Nothing is left to be done when it has ended already.
                try? await ring.abort(id)
            }
            let end: RingChangeEnd = try await ring.end(of: id) { progress in
                operation.note(done: Int(progress.share * 1_000), of: 1_000, unit: "thousandths")
                if !progress.words.isEmpty {
                    operation.note(LiveAdministration.withAddresses(progress.words, parts.metadata.current))
                }
            }
            guard end == .done else { throw AdminFailure.unavailable("The \(name) was aborted.") }
            return .record(["change": .string(id.description)])
        }
    }

    /// The change that a request names: by its own id, by its node, or the only one there is.
    private func chosenChange(_ request: HTTPRequest) throws(AdminFailure) -> RingChange {
        let metadata: ClusterMetadata = try current().metadata
        var found: [RingChange] = metadata.changes
        if let text = request.parameter("change") { found = found.filter { $0.id.description == text } }
        if let kind = request.parameter("kind") { found = found.filter { "\($0.kind)" == kind } }
        if request.parameter("node") != nil {
            let node: NodeID = try node(request)
            found = found.filter { $0.node == node || $0.replaced == node }
        }
        guard let first = found.first else { throw .invalid("No such change of the ring is in progress.") }
        guard found.count == 1 else { throw .invalid("Several changes of the ring are in progress: name one.") }
        return first
    }

    /// The node that a request names, by id or by address.
    private func node(_ request: HTTPRequest) throws(AdminFailure) -> NodeID {
        guard let text = request.parameter("node") else { throw .invalid("The parameter node is needed.") }
        let members: [Member] = try current().metadata.members
        let found: [Member] = members.filter { member in
            member.id.description == text
                || member.state != .left
                    && (member.internode.hostText == text || member.internode.description == text)
        }
        guard let member = found.first else { throw .invalid("Host ID \(text) not found.") }
        guard found.count == 1 else { throw .invalid("Several nodes have the address \(text): name one by its id.") }
        return member.id
    }

    private static func json(
        _ change: RingChange, _ progress: RingOperations.Progress?, _ metadata: ClusterMetadata
    ) -> JSONValue {
        func address(_ node: NodeID) -> JSONValue {
            .string(metadata.member(node)?.internode.hostText ?? node.description)
        }
        return .record([
            "id": .string(change.id.description), "kind": .string("\(change.kind)"),
            "node": .string(change.node.description), "address": address(change.node),
            "replaced": change.replaced.map { .string($0.description) } ?? .null, "driver": address(change.driver),
            "is_aborting": .boolean(change.isAborting), "tokens": .array(change.tokens.map { .big($0.value) }),
            "handed_over_ranges": .integer(change.handedOver.count),
            "share": .decimal(progress?.share ?? LiveAdministration.share(of: change, metadata)),
            "waits_for": .optional(progress.map { withAddresses($0.words, metadata) }),
            "fetching": .array((progress?.fetching ?? []).map(address)),
        ])
    }

    /// What of a change every node knows to have been handed over, from 0 to 1.
    private static func share(of change: RingChange, _ metadata: ClusterMetadata) -> Double {
        let whole: Double = metadata.remaining(of: change).union(change.handedOver).share
        return whole > 0 ? change.handedOver.share / whole : 0
    }

    /// Addresses, which people know, instead of ids.
    private static func withAddresses(_ words: String, _ metadata: ClusterMetadata?) -> String {
        (metadata?.members ?? []).reduce(words) { words, member in
            words.replacing(member.id.description, with: member.internode.hostText)
        }
    }

    // MARK: Streams

    private static func measure(_ operation: Operation, _ streams: NodeStreams) {
        operation.measure {
            let running: [StreamProgress] = streams.receiver.progress().filter { !$0.isDone }
            guard !running.isEmpty else { return nil }
            let byteCount: Int = running.reduce(0) { $0 + $1.byteCount }
            // How much there is, is known only about; more of it may have come.
            return (byteCount, max(byteCount, running.reduce(0) { $0 + $1.byteTotal }))
        }
    }

    private static func json(_ stream: StreamProgress, _ metadata: ClusterMetadata) -> JSONValue {
        let address: SocketAddress? = metadata.member(stream.peer)?.internode
        return .record([
            "id": .string(stream.id.description), "title": .string(stream.title),
            "peer": .string(address?.hostText ?? stream.peer.description),
            "port": .optional(address.map { Int($0.port) }),
            "direction": .string(stream.isIncoming ? "receiving" : "sending"), "table": .optional(stream.table),
            "files": .integer(stream.fileCount), "files_total": .integer(stream.fileTotal),
            "bytes": .integer(stream.byteCount), "bytes_total": .integer(stream.byteTotal),
            "rows": .integer(stream.rowCount), "tables": .integer(stream.tableCount),
            "tables_total": .integer(stream.tableTotal), "is_done": .boolean(stream.isDone),
            "failure": .optional(stream.failure),
        ])
    }
}
