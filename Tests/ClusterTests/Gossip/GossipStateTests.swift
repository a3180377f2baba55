import Cluster
import Primitives
import Testing

/// What nodes tell each other, and who believes what.
@Suite struct GossipStateTests {
    private let a = NodeID(UUID(high: 1, low: 0))
    private let b = NodeID(UUID(high: 2, low: 0))
    private let c = NodeID(UUID(high: 3, low: 0))
    private let now: Int64 = 1_700_000_000

    private func state(_ id: NodeID, generation: Int32 = 1_000) -> GossipState {
        var state = GossipState(local: id, generation: generation)
        state.setMembers([a, b, c])
        return state
    }

    /// One whole exchange, begun by `left`.
    private func exchange(_ left: inout GossipState, _ right: inout GossipState) {
        let answer = right.answer(to: left.digests, nowSeconds: now)
        _ = left.merge(answer.states, nowSeconds: now)
        _ = right.merge(left.states(wantedBy: answer.wanted), nowSeconds: now)
    }

    private func exchange(_ states: inout [GossipState], _ left: Int, _ right: Int) {
        var first = states[left]
        var second = states[right]
        exchange(&first, &second)
        states[left] = first
        states[right] = second
    }

    @Test func oneExchangeBringsBothUpToDate() {
        var left = state(a)
        var right = state(b)
        left.set(.load, "1.0")
        right.set(.load, "2.0")
        right.beat(milliseconds: 5)
        exchange(&left, &right)
        #expect(left.endpoints == right.endpoints)
        #expect(left[b]?[.load] == "2.0")
        #expect(right[a]?[.load] == "1.0")
        #expect(left[b]?.heartbeat.milliseconds == 5)
        #expect(right.answer(to: left.digests, nowSeconds: now) == GossipState.Answer())
    }

    @Test func onlyWhatIsNewIsTold() {
        var left = state(a)
        var right = state(b)
        left.set(.load, "1.0")
        left.set(.schema, "s")
        exchange(&left, &right)
        left.set(.load, "1.5")
        let wanted = left.answer(to: right.digests, nowSeconds: now).states
        #expect(wanted.map(\.id) == [a])
        #expect(wanted.first?.entries.map(\.key) == [.load])
        left.set(.load, "1.5")
        #expect(right.merge(wanted, nowSeconds: now).contains(.changed(a, .load)))
        #expect(left.endpoints == right.endpoints)
    }

    @Test func theSameNewsTwiceAndOldNewsChangeNothing() {
        var left = state(a)
        left.set(.load, "1.0")
        let old = left.own
        left.set(.load, "2.0")
        let new = left.own
        var right = state(b)
        #expect(!right.merge([new], nowSeconds: now).isEmpty)
        let before = right.endpoints
        #expect(right.merge([new], nowSeconds: now).isEmpty)
        #expect(right.merge([old], nowSeconds: now).isEmpty)
        #expect(right.endpoints == before)
    }

    @Test func anotherLifeForgetsTheOneBefore() {
        var former = state(a, generation: 10)
        former.set(.load, "1.0")
        former.set(.schema, "s")
        var later = state(a, generation: 11)
        later.set(.load, "2.0")
        var right = state(b)
        _ = right.merge([former.own], nowSeconds: now)
        _ = right.merge([later.own], nowSeconds: now)
        #expect(right[a] == later.own)
        #expect(right[a]?[.schema] == nil)
        #expect(right.merge([former.own], nowSeconds: now).isEmpty)
    }

    @Test func aGenerationOfMoreThanAYearAheadIsRefused() {
        let limit = Int32(now + GossipState.maximumGenerationLead)
        var right = state(b)
        let tooFar = EndpointState(
            id: a, heartbeat: Heartbeat(generation: limit + 1, milliseconds: 0), version: 1)
        #expect(right.merge([tooFar], nowSeconds: now) == [.refused(a, generation: limit + 1)])
        #expect(right[a] == nil)
        let digest = GossipDigest(id: a, generation: limit + 1, version: 1)
        _ = right.merge([state(a).own], nowSeconds: now)
        #expect(right.answer(to: [digest], nowSeconds: now).wanted.isEmpty)
        let far = EndpointState(id: a, heartbeat: Heartbeat(generation: limit, milliseconds: 0), version: 1)
        #expect(right.merge([far], nowSeconds: now) == [.heartbeat(a, far.heartbeat)])
    }

    @Test func whoIsNoMemberIsNotSpokenOf() {
        var right = GossipState(local: b, generation: 1)
        right.setMembers([b, c])
        #expect(right.merge([state(a).own], nowSeconds: now).isEmpty)
        let answer = right.answer(to: state(a).digests, nowSeconds: now)
        #expect(answer.wanted.isEmpty)
        #expect(answer.states.map(\.id) == [b])
        right.setMembers([a, b, c])
        #expect(right.answer(to: state(a).digests, nowSeconds: now).wanted.map(\.id) == [a])
        _ = right.merge([state(a).own], nowSeconds: now)
        #expect(right[a] != nil)
        right.setMembers([b])
        #expect(right[a] == nil)
        #expect(right[b] != nil)
    }

    @Test func aNodeMovesPastWhatOthersHaveOfItsFormerLives() {
        var former = state(a, generation: 500)
        former.set(.load, "9.0")
        var right = state(b)
        _ = right.merge([former.own], nowSeconds: now)
        var own = state(a, generation: 400)
        own.set(.load, "1.0")
        exchange(&right, &own)
        exchange(&right, &own)
        #expect(own.own.heartbeat.generation == 501)
        #expect(right[a]?[.load] == "1.0")
    }

    @Test func aNodeMovesPastAnotherCopyOfTheSameLife() {
        var copy = state(a)
        for value in 0..<9 { copy.set(.load, "\(value)") }
        var right = state(b)
        _ = right.merge([copy.own], nowSeconds: now)
        var own = state(a)
        own.set(.load, "mine")
        exchange(&right, &own)
        exchange(&right, &own)
        #expect(right[a]?[.load] == "mine")
    }

    @Test func aGoodbyeIsTold() {
        var left = state(a)
        left.beat(milliseconds: 77)
        left.set(.statusWithPort, EndpointState.stoppedStatus)
        var right = state(b)
        let events = right.merge([left.own], nowSeconds: now)
        #expect(events.first == .stopped(a, Heartbeat(generation: 1_000, milliseconds: 77)))
    }

    @Test func anyOrderOfExchangesLeadsToTheSameState() {
        for seed: UInt64 in 1...40 {
            var generator = SeededGenerator(seed: seed)
            let ids: [NodeID] = (1...6).map { NodeID(UUID(high: UInt64($0), low: seed)) }
            var states: [GossipState] = ids.map { id in
                var state = GossipState(local: id, generation: 5)
                state.setMembers(ids)
                return state
            }
            for step in 0..<200 {
                let left = generator.below(6)
                let right = generator.below(6)
                if generator.oneIn(3) { states[left].set(ApplicationState(rawValue: UInt8(step % 20)), "\(step)") }
                guard left != right else { continue }
                let answer = states[right].answer(to: states[left].digests, nowSeconds: now)
                if generator.oneIn(4) { continue }  // the answer is lost
                _ = states[left].merge(answer.states, nowSeconds: now)
                if generator.oneIn(4) { continue }
                _ = states[right].merge(states[left].states(wantedBy: answer.wanted), nowSeconds: now)
            }
            for _ in 0..<3 {
                for left in 0..<6 {
                    for right in 0..<6 where left != right { exchange(&states, left, right) }
                }
            }
            for state in states { #expect(state.endpoints == states[0].endpoints, "seed \(seed)") }
            for (id, state) in zip(ids, states) { #expect(states[0][id] == state.own, "seed \(seed)") }
        }
    }

    @Test func newsReachAHundredNodesInAFewRounds() {
        for seed: UInt64 in 1...5 {
            var generator = SeededGenerator(seed: seed)
            let ids: [NodeID] = (1...100).map { NodeID(UUID(high: UInt64($0), low: 0)) }
            var states: [GossipState] = ids.map { id in
                var state = GossipState(local: id, generation: 5)
                state.setMembers(ids)
                return state
            }
            states[0].set(.load, "news")
            var rounds = 0
            while states.contains(where: { $0[ids[0]]?[.load] != "news" }) && rounds < 50 {
                rounds += 1
                for left in states.indices {
                    let right = (left + 1 + generator.below(99)) % 100
                    exchange(&states, left, right)
                }
            }
            // log2 100 is 6.6.
            #expect(rounds <= 9, "seed \(seed)")
        }
    }

    @Test func oneMessageCarriesABoundedPartAndTheRestComesLater() {
        let ids: [NodeID] = (1...300).map { NodeID(UUID(high: UInt64($0), low: 0)) }
        var full = GossipState(local: ids[0], generation: 5)
        full.setMembers(ids)
        let long = String(repeating: "x", count: EndpointState.maximumValueByteCount)
        for id in ids.dropFirst() {
            var one = GossipState(local: id, generation: 5)
            one.set(.load, long)
            _ = full.merge([one.own], nowSeconds: now)
        }
        var empty = GossipState(local: ids[299], generation: 5)
        empty.setMembers(ids)
        var rounds = 0
        while empty.endpoints.count < 300 && rounds < 20 {
            rounds += 1
            let answer = full.answer(to: empty.digests, nowSeconds: now)
            let message = GossipMessage(
                heartbeat: full.own.heartbeat, digests: answer.wanted, states: answer.states)
            #expect(message.bytes.count < GossipMessage.maximumByteCount / 2)
            _ = empty.merge(answer.states, nowSeconds: now)
        }
        #expect(empty.endpoints.count == 300)
        #expect(rounds > 1)
    }
}

/// The bytes of gossip.
@Suite struct GossipMessageTests {
    private func sample() -> GossipMessage {
        var state = GossipState(local: NodeID(UUID(high: 1, low: 2)), generation: 77)
        state.beat(milliseconds: 1_234)
        state.set(.load, "1.5")
        state.set(.rack, "rÄck")
        state.set(.datacenter, "")
        return GossipMessage(heartbeat: state.own.heartbeat, digests: state.digests, states: [state.own])
    }

    @Test func aMessageComesBackAsItWas() throws {
        #expect(try GossipMessage(sample().bytes) == sample())
        let empty = GossipMessage(heartbeat: Heartbeat(generation: 0, milliseconds: 0))
        #expect(try GossipMessage(empty.bytes) == empty)
    }

    @Test func aCutMessageIsRefused() {
        let bytes = sample().bytes
        for count in 0..<bytes.count {
            #expect(throws: DecodingError.self) { try GossipMessage(Array(bytes[..<count])) }
        }
        #expect(throws: DecodingError.self) { try GossipMessage(bytes + [0]) }
    }

    @Test func damagedBytesNeverStopTheProcess() {
        let bytes = sample().bytes
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<20_000 {
            var damaged = bytes
            for _ in 0...generator.below(4) { damaged[generator.below(damaged.count)] = UInt8(generator.below(256)) }
            _ = try? GossipMessage(damaged)
        }
    }

    @Test func aMessageWithMoreThanItMayHaveIsRefused() {
        #expect(throws: DecodingError.self) {
            try GossipMessage([UInt8](repeating: 1, count: GossipMessage.maximumByteCount + 1))
        }
        let far = GossipMessage(
            heartbeat: Heartbeat(generation: 1, milliseconds: Heartbeat.maximumMilliseconds + 1))
        #expect(throws: DecodingError.self) { try GossipMessage(far.bytes) }
        // A count that is far larger than what follows reserves nothing.
        #expect(throws: DecodingError.self) {
            try GossipMessage([1] + [UInt8](repeating: 0, count: 12) + [0x9F, 0xFF])
        }
    }
}
