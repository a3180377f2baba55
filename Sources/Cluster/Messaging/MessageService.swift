package import Environment
import Primitives
import Synchronization

/// How one node talks to the others: listens on its internode address, keeps links, carries messages.
///
///     MessageService ── ShardMessages (one a loop) ─┬─ PeerLink (one a peer and lane) ─ PeerConnection
///                                                   └─ PeerLink (one an accepted connection)
///
/// Everything that is not hot uses it as a `Messenger`; what is hot uses the links of its loop.
package final class MessageService: Messenger, Sendable {
    /// One for each loop, by the loop's index.
    package let shards: [ShardMessages]
    let context: MessageContext
    private let listener = Mutex<(any Listener)?>(nil)

    package init(
        host: Host, identity: MessageIdentity, settings: MessageSettings = MessageSettings(),
        callbacks: MessageCallbacks
    ) {
        let context = MessageContext(host: host, identity: identity, settings: settings, callbacks: callbacks)
        let shards: [ShardMessages] = host.loops.map { ShardMessages(context, on: $0) }
        for shard in shards { shard.siblings = shards }
        self.context = context
        self.shards = shards
    }

    // MARK: Life

    /// Begins to listen at the identity's address; messages come from now on.
    package func start() async throws(NetworkError) {
        let shards: [ShardMessages] = self.shards
        let made = try await context.host.network.listen(
            at: context.identity.address, on: context.host.loops, security: context.settings.listeningSecurity
        ) { loop in
            PeerConnection(accepting: shards[loop.index])
        }
        listener.withLock { $0 = made }
    }

    /// Where it listens.
    package var address: SocketAddress? { listener.withLock { $0?.address } }

    /// Stops listening, ends all connections, and fails what waits for answers with `.closed`.
    package func stop() async {
        let former: (any Listener)? = listener.withLock { listener in
            defer { listener = nil }
            return listener
        }
        await former?.close()
        for shard in shards {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                shard.loop.execute {
                    shard.stop()
                    continuation.resume()
                }
            }
        }
    }

    // MARK: What the node tells

    /// Says who this node is from now on: its cluster's id once that is known. The node itself stays the same.
    package func setIdentity(_ identity: MessageIdentity) {
        require(identity.node == context.identity.node, "a node stays itself")
        context.identity = identity
    }

    /// Says who the members are, and where.
    package func setMembers(_ members: [Member]) {
        let directory = PeerDirectory(members)
        for shard in shards { shard.run { $0.apply(directory) } }
    }

    /// Says which epoch this node has.
    package func setEpoch(_ epoch: UInt64) {
        context.epoch.store(epoch, ordering: .relaxed)
    }

    /// Refuses, on every loop once this returns, requests that were planned by an older placement than that of an epoch.
    package func requirePlacement(of epoch: UInt64) async {
        for shard in shards {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                shard.loop.execute {
                    shard.requiredEpoch = max(shard.requiredEpoch, epoch)
                    continuation.resume()
                }
            }
        }
    }

    /// Ends all connections with a node that is believed dead, so that what waits for it fails at once.
    package func disconnect(from node: NodeID) {
        for shard in shards { shard.run { $0.disconnect(node) } }
    }

    /// What has gone between this node and each other, by node and lane.
    package func traffic() async -> [PeerTraffic] {
        var found: [TrafficKey: PeerTraffic] = [:]
        for shard in shards {
            let part: [PeerTraffic] = await withUnsafeContinuation { continuation in
                shard.loop.execute { continuation.resume(returning: shard.traffic) }
            }
            for traffic in part {
                let key = TrafficKey(node: traffic.node, lane: traffic.lane)
                if found[key]?.add(traffic) == nil { found[key] = traffic }
            }
        }
        return found.values.sorted { ($0.node, $0.lane.rawValue) < ($1.node, $1.lane.rawValue) }
    }

    // MARK: Messenger

    package func handle(_ verb: Verb, _ body: @escaping @Sendable (IncomingMessage) async throws -> [UInt8]) {
        context.setHandler(verb, body)
    }

    package func send(_ verb: Verb, _ body: [UInt8], to node: NodeID) {
        shard(for: verb).run { shard in
            let link: PeerLink = shard.link(to: node, lane: verb.lane)
            guard link.begin(verb) == .ready else { return }
            link.output.write(body)
            link.end()
        }
    }

    package func request(
        _ verb: Verb, _ body: [UInt8], to node: NodeID, timeout: Duration
    ) async throws(MessageFailure) -> [UInt8] {
        let milliseconds: UInt32 = timeout.timeoutMilliseconds
        let shard: ShardMessages = shard(for: verb)
        let result: PendingAnswer.Outcome = await withUnsafeContinuation { continuation in
            shard.run { shard in
                let answer = PendingAnswer(continuation)
                answer.send(verb, body, over: shard.link(to: node, lane: verb.lane), milliseconds)
            }
        }
        return try result.get().body
    }

    package func request(
        _ verb: Verb, _ body: [UInt8], at address: SocketAddress, timeout: Duration
    ) async throws(MessageFailure) -> (sender: NodeID, body: [UInt8]) {
        let milliseconds: UInt32 = timeout.timeoutMilliseconds
        let result: PendingAnswer.Outcome = await withUnsafeContinuation { continuation in
            shards[0].run { shard in
                let link: PeerLink = shard.link(toAddress: address)
                PendingAnswer(continuation, link).send(verb, body, over: link, milliseconds)
            }
        }
        return try result.get()
    }

    /// Whoever is not on a loop uses the first; so does the control lane always, to have one connection a peer.
    private func shard(for verb: Verb) -> ShardMessages {
        if verb.lane == .control { return shards[0] }
        return shards.first { $0.loop.isCurrent } ?? shards[0]
    }
}

/// A task that waits for an answer. Confined to the loop of its request.
private final class PendingAnswer: ReplyReceiver {
    typealias Outcome = Result<(sender: NodeID, body: [UInt8]), MessageFailure>

    private var continuation: UnsafeContinuation<Outcome, Never>?
    /// A link that is for this request alone.
    private let ownLink: PeerLink?

    init(_ continuation: UnsafeContinuation<Outcome, Never>, _ ownLink: PeerLink? = nil) {
        self.continuation = continuation
        self.ownLink = ownLink
    }

    func send(_ verb: Verb, _ body: [UInt8], over link: PeerLink, _ milliseconds: UInt32) {
        let outcome: SendOutcome = link.begin(verb, for: self, tag: 0, timeoutMilliseconds: milliseconds)
        if let failure = outcome.failure(of: link.peer) { return finish(.failure(failure)) }
        link.output.write(body)
        link.end()
    }

    func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) {
        finish(.success((node, [UInt8](copying: body))))
    }

    func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) {
        finish(.failure(failure))
    }

    private func finish(_ outcome: Outcome) {
        let waiting: UnsafeContinuation<Outcome, Never>? = continuation
        continuation = nil
        waiting?.resume(returning: outcome)
        guard let ownLink else { return }
        ownLink.close(.closed)
        ownLink.shard.remove(ownLink)
    }
}
