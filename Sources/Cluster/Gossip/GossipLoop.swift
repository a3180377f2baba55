package import Environment
internal import Primitives

/// Tells the other members what this node knows, and carries out what `GossipState` and `PeerWatch` decide.
///
/// Each second it gives a sign of life and exchanges news with one member that is up, sometimes with one that is down and
/// sometimes with a seed; each half second it looks who has been silent for too long.
///
/// Confined to loop 0: methods may be called from anywhere and go there.
///
/// `Sendable` is unchecked because everything that changes does so on loop 0.
package final class GossipLoop: @unchecked Sendable {
    package struct Settings: Sendable {
        /// (`phi_convict_threshold`)
        package var phiThreshold: Double = 8
        /// How long an exchange or a question may take.
        package var answerTimeout: Duration = .seconds(1)

        package init() {}
    }

    /// What happened since the start.
    package struct Counters: Hashable, Sendable {
        package var rounds = 0
        package var failedExchanges = 0
        package var refusedGenerations = 0
        package var malformedMessages = 0
        package var strangersRefused = 0
    }

    /// Why a message is refused: its sender is no member, or this node does not gossip now.
    private static let refusesStranger: UInt16 = 1
    private static let refusesWhileStopped: UInt16 = 2
    private static let halfRound: Duration = .milliseconds(500)
    /// A goodbye is said this often, and each time waited for this long: a stop takes no longer than their product.
    private static let goodbyeCount = 3
    private static let goodbyeTimeout: Duration = .milliseconds(250)

    package let local: NodeID
    package let liveness: Liveness
    private let messenger: any Messenger
    private let time: any TimeSource
    private let background: any Background
    private let loop: any Loop
    private let settings: Settings
    private let startedAt: UInt64

    private var state: GossipState
    private var watch: PeerWatch
    private var generator: SeededGenerator
    /// Without the local node and those that have left, ascending.
    private var peers: [NodeID] = []
    private var seeds: [NodeID] = []
    private var isRunning = false
    private var work: (any BackgroundWork)?
    private var listeners: [@Sendable (NodeID, ApplicationState, String) -> Void] = []
    private var counters = Counters()

    /// Names the handlers of gossip's verbs; nothing is sent before `start`.
    ///
    /// - Parameter generation: larger than at any start before.
    package init(
        local: NodeID, generation: Int32, host: Host, messenger: any Messenger, liveness: Liveness,
        settings: Settings = Settings()
    ) {
        self.local = local
        self.liveness = liveness
        self.messenger = messenger
        self.time = host.time
        self.background = host.background
        self.loop = host.loops[0]
        self.settings = settings
        self.startedAt = host.time.monotonicNanoseconds
        self.state = GossipState(local: local, generation: generation)
        self.watch = PeerWatch(phiThreshold: settings.phiThreshold)
        self.generator = SeededGenerator(seed: host.entropy.next())
        register()
    }

    // MARK: What the node tells

    /// Takes who the members are; gossip itself never decides that. Those that have left are not gossiped with.
    ///
    /// - Parameter seeds: addresses at which members are told news more often than others.
    package func setMembers(_ members: [Member], seeds seedAddresses: [SocketAddress] = []) {
        onLoop { [self] in
            let present: [Member] = members.filter { $0.state != .left && $0.id != local }
            peers = Set(present.map(\.id)).sorted()
            seeds = Set(present.filter { seedAddresses.contains($0.internode) }.map(\.id)).sorted()
            state.setMembers(peers)
            let actions: [PeerWatch.Action] = watch.setPeers(peers)
            carryOut(actions)
        }
    }

    /// Tells the others a value of this node.
    package func publish(_ key: ApplicationState, _ value: String) {
        onLoop { [self] in state.set(key, value) }
    }

    /// A connection to a member ended unexpectedly: it is asked at once.
    package func connectionBroke(_ id: NodeID) {
        onLoop { [self] in
            guard isRunning else { return }
            carryOut(watch.connectionBroke(id))
        }
    }

    /// Adds somebody who is told, on loop 0, each value that another member has changed.
    package func listen(_ listener: @escaping @Sendable (NodeID, ApplicationState, String) -> Void) {
        onLoop { [self] in listeners.append(listener) }
    }

    /// Begins to gossip, and says hello to all members.
    package func start() {
        onLoop { [self] in
            guard !isRunning else { return }
            isRunning = true
            if state.own[.statusWithPort] == nil || state.own.hasStopped { state.set(.statusWithPort, "NORMAL") }
            beat()
            for id in peers { sayHello(to: id) }
            work = background.run("gossip", on: loop) { [weak self] in await self?.run() }
        }
    }

    /// Says goodbye to all members and stops to gossip; nobody is watched after that. `start` begins again.
    package func stop() async {
        let farewells: [any BackgroundWork] = await valueOnLoop { [self] in
            guard isRunning else { return [] }
            isRunning = false
            work?.cancel()
            work = nil
            beat()
            state.set(.statusWithPort, EndpointState.stoppedStatus)
            let bytes: [UInt8] = message(states: [state.own]).bytes
            return watch.up.map { id in
                background.run("goodbye", on: loop) { [messenger] in
                    await GossipLoop.sayGoodbye(bytes, to: id, through: messenger)
                }
            }
        }
        for farewell in farewells { await farewell.wait() }
    }

    // MARK: What the node is shown

    /// What is known of every member, the local node included, ascending by node (`nodetool gossipinfo`).
    package func endpoints() async -> [EndpointState] {
        await valueOnLoop { [self] in state.endpoints }
    }

    /// What the detector says of every other member, ascending by node (`nodetool failuredetector`).
    package func health() async -> [PeerWatch.Health] {
        await valueOnLoop { [self] in watch.health(at: time.monotonicNanoseconds) }
    }

    package func currentCounters() async -> Counters {
        await valueOnLoop { [self] in counters }
    }

    package func gossips() async -> Bool {
        await valueOnLoop { [self] in isRunning }
    }

    // MARK: Rounds

    private func run() async {
        var isRound = true
        while isRunning {
            if isRound { round() }
            isRound.toggle()
            carryOut(watch.tick(at: time.monotonicNanoseconds))
            do throws(CancellationError) {
                try await time.sleep(for: GossipLoop.halfRound)
            } catch {
                return  // the loop was stopped
            }
        }
    }

    private func round() {
        counters.rounds += 1
        beat()
        let up: [NodeID] = watch.up
        let down: [NodeID] = watch.down
        var chosen: [NodeID] = []
        if !up.isEmpty { chosen.append(up[generator.below(up.count)]) }
        if !down.isEmpty, generator.chance(Double(down.count) / Double(up.count + 1)) {
            chosen.append(down[generator.below(down.count)])
        }
        if !seeds.isEmpty, !chosen.contains(where: seeds.contains) {
            let share = Double(seeds.count) / Double(max(1, peers.count))
            if up.count < seeds.count || generator.chance(share) {
                chosen.append(seeds[generator.below(seeds.count)])
            }
        }
        for id in chosen { exchange(with: id) }
    }

    /// Brings this node and another up to date with each other.
    private func exchange(with id: NodeID) {
        let syn: [UInt8] = message(digests: state.digests).bytes
        background.run("gossip exchange", on: loop) { [weak self, messenger, settings] in
            do {
                let bytes = try await messenger.request(.gossipSyn, syn, to: id, timeout: settings.answerTimeout)
                self?.synAnswered(bytes, by: id)
            } catch {
                self?.counters.failedExchanges += 1
            }
        }
    }

    private func synAnswered(_ bytes: [UInt8], by id: NodeID) {
        guard let answer = decoded(bytes), isRunning else { return }
        merge(answer.states)
        carryOut(watch.answered(id, answer.heartbeat, at: time.monotonicNanoseconds))
        let wanted: [EndpointState] = state.states(wantedBy: answer.digests)
        if !wanted.isEmpty { messenger.send(.gossipAck, message(states: wanted).bytes, to: id) }
    }

    private func sayHello(to id: NodeID) {
        let hello: [UInt8] = message(states: [state.own]).bytes
        background.run("hello", on: loop) { [weak self, messenger, settings] in
            do {
                let bytes = try await messenger.request(.hello, hello, to: id, timeout: settings.answerTimeout)
                guard let self, let answer = decoded(bytes), isRunning else { return }
                merge(answer.states)
                carryOut(watch.answered(id, answer.heartbeat, at: time.monotonicNanoseconds))
            } catch {
                // It is down, or hears of us from others and asks.
            }
        }
    }

    private func ping(_ id: NodeID) {
        let question: [UInt8] = message().bytes
        background.run("ping", on: loop) { [weak self, messenger, settings] in
            do {
                let bytes = try await messenger.request(.ping, question, to: id, timeout: settings.answerTimeout)
                guard let self else { return }
                guard let answer = decoded(bytes), isRunning else { return carryOut(watch.unanswered(id)) }
                carryOut(watch.answered(id, answer.heartbeat, at: time.monotonicNanoseconds))
            } catch {
                guard let self else { return }
                carryOut(watch.unanswered(id))
            }
        }
    }

    private static func sayGoodbye(_ bytes: [UInt8], to id: NodeID, through messenger: any Messenger) async {
        for _ in 0..<goodbyeCount {
            do {
                _ = try await messenger.request(.goodbye, bytes, to: id, timeout: goodbyeTimeout)
                return
            } catch {
                // Said again; who has still not heard it then learns it from others, or from our silence.
            }
        }
    }

    // MARK: What others say

    private func register() {
        let verbs: [Verb] = [.ping, .hello, .goodbye, .gossipSyn, .gossipAck]
        for verb in verbs {
            messenger.handle(verb) { [weak self] incoming in
                guard let self else { throw Refusal(code: GossipLoop.refusesWhileStopped, reason: "stopped") }
                return try answer(incoming)
            }
        }
    }

    private func answer(_ incoming: IncomingMessage) throws -> [UInt8] {
        guard isRunning else { throw Refusal(code: GossipLoop.refusesWhileStopped, reason: "it does not gossip") }
        guard peers.contains(incoming.sender) else {
            counters.strangersRefused += 1
            throw Refusal(code: GossipLoop.refusesStranger, reason: "the sender is not a member")
        }
        let news: GossipMessage
        do throws(DecodingError) {
            news = try GossipMessage(incoming.body)
        } catch {
            counters.malformedMessages += 1
            throw error
        }
        let now: UInt64 = time.monotonicNanoseconds
        switch incoming.verb {
        case .gossipSyn:
            let answer: GossipState.Answer = state.answer(to: news.digests, nowSeconds: time.wallSeconds)
            carryOut(watch.heard(incoming.sender, news.heartbeat, at: now))
            return message(digests: answer.wanted, states: answer.states).bytes
        case .gossipAck:
            merge(news.states)
            carryOut(watch.heard(incoming.sender, news.heartbeat, at: now))
            return []
        case .hello:
            merge(news.states)
            carryOut(watch.heard(incoming.sender, news.heartbeat, at: now))
            return message(states: [state.own]).bytes
        case .goodbye:
            merge(news.states.filter { $0.id == incoming.sender })
            carryOut(watch.stopped(incoming.sender, news.heartbeat))
            return message().bytes
        default:
            carryOut(watch.heard(incoming.sender, news.heartbeat, at: now))
            return message().bytes
        }
    }

    // MARK: Parts

    private func beat() {
        state.beat(milliseconds: milliseconds)
    }

    /// Since this gossiper was made, which is once in a generation.
    private var milliseconds: UInt64 {
        (time.monotonicNanoseconds &- startedAt) / 1_000_000
    }

    /// A message with a sign of life of this moment.
    private func message(digests: [GossipDigest] = [], states: [EndpointState] = []) -> GossipMessage {
        let heartbeat = Heartbeat(
            generation: state.own.heartbeat.generation,
            milliseconds: isRunning
                ? max(milliseconds, state.own.heartbeat.milliseconds) : state.own.heartbeat.milliseconds)
        return GossipMessage(heartbeat: heartbeat, digests: digests, states: states)
    }

    private func decoded(_ bytes: [UInt8]) -> GossipMessage? {
        do throws(DecodingError) {
            return try GossipMessage(bytes)
        } catch {
            counters.malformedMessages += 1
            return nil
        }
    }

    private func merge(_ states: [EndpointState]) {
        let now: UInt64 = time.monotonicNanoseconds
        for event in state.merge(states, nowSeconds: time.wallSeconds) {
            switch event {
            case .heartbeat(let id, let heartbeat):
                carryOut(watch.heard(id, heartbeat, at: now))
            case .stopped(let id, let heartbeat):
                carryOut(watch.stopped(id, heartbeat))
            case .refused:
                counters.refusedGenerations += 1
            case .changed(let id, let key):
                guard let value = state[id]?[key] else { continue }
                for listener in listeners { listener(id, key, value) }
            }
        }
    }

    private func carryOut(_ actions: [PeerWatch.Action]) {
        for action in actions {
            switch action {
            case .ping(let id):
                if isRunning { ping(id) } else { carryOut(watch.unanswered(id)) }
            case .markUp(let id): liveness.set(id, alive: true)
            case .markDown(let id): liveness.set(id, alive: false)
            }
        }
    }

    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        if loop.isCurrent { body() } else { loop.execute(body) }
    }

    private func valueOnLoop<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        if loop.isCurrent { return body() }
        return await withUnsafeContinuation { continuation in
            loop.execute { continuation.resume(returning: body()) }
        }
    }
}
