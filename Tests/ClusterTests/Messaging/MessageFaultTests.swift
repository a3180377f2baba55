import Cluster
import Environment
import Primitives
import SimulatedHost
import Testing

/// Answers that are late, connections that break, nodes that come back.
@Suite struct MessageFaultTests {
    private func hold(_ nodes: MessageWorld, _ index: Int) async -> HoldingHandler {
        let holding = HoldingHandler()
        for shard in nodes.services[index].shards {
            await nodes.onLoop(index, shard) { $0.handle(.mutation, by: holding) }
        }
        return holding
    }

    private func answer(_ nodes: MessageWorld, _ index: Int, _ place: ReplyPlace, _ body: [UInt8]) async -> Bool {
        let shard = nodes.services[index].shards[Int(place.loopIndex)]
        return await nodes.onLoop(index, shard) { shard in
            guard let link = shard.beginReply(place) else { return false }
            link.output.write(body)
            link.end()
            return true
        }
    }

    @Test func aRequestWithoutAnAnswerEndsAtItsDeadline() throws {
        let nodes = MessageWorld(seed: 1)
        try nodes.run { nodes in
            let holding = await hold(nodes, 1)
            let collector = Collector()
            let start = nodes.milliseconds()
            for (tag, timeout) in [(1, 100), (2, 500), (3, 2_000)] {
                _ = await nodes.send(
                    from: 0, to: 1, [], tag: UInt64(tag), collector, timeoutMilliseconds: UInt32(timeout))
            }
            for (count, timeout) in [(1, 100), (2, 500), (3, 2_000)] {
                await collector.wait(count)
                let elapsed = nodes.milliseconds() - start
                #expect(elapsed >= timeout && elapsed <= timeout + 20, "\(elapsed) ms for \(timeout)")
            }
            #expect(collector.failures.count == 3 && collector.failures[3] == .timedOut(MessageWorld.id(1)))
            #expect(holding.places.count == 3)
            #expect(await nodes.traffic(0, with: 1, .data).counts.timedOutRequests == 3)
        }
    }

    @Test func anAnswerMayComeLaterAndOutOfOrder() throws {
        let nodes = MessageWorld(seed: 2)
        try nodes.run { nodes in
            let holding = await hold(nodes, 1)
            let collector = Collector()
            for tag in 1...3 { _ = await nodes.send(from: 0, to: 1, [UInt8(tag)], tag: UInt64(tag), collector) }
            await nodes.pause(.milliseconds(100))
            for (place, body) in zip(holding.places, holding.bodies).reversed() {
                #expect(await answer(nodes, 1, place, body))
            }
            await collector.wait(3)
            #expect(collector.replies == [1: [1], 2: [2], 3: [3]])
        }
    }

    @Test func aLateAnswerIsDropped() throws {
        let nodes = MessageWorld(seed: 3)
        try nodes.run { nodes in
            let holding = await hold(nodes, 1)
            let collector = Collector()
            // The first answer is under way when the time is up, the second is not begun any more.
            var slow = LinkBehavior()
            slow.latency = SimulatedLatency(minimum: .milliseconds(80), maximum: .milliseconds(80))
            nodes.world.network.setLink(from: nodes.machines[1], to: nodes.machines[0], slow)
            _ = await nodes.send(from: 0, to: 1, [], tag: 1, collector, timeoutMilliseconds: 300)
            _ = await nodes.send(from: 0, to: 1, [], tag: 2, collector, timeoutMilliseconds: 300)
            await nodes.pause(.milliseconds(270))
            #expect(await answer(nodes, 1, holding.places[0], [1]))
            await collector.wait(2)
            #expect(collector.replies.isEmpty && collector.failures.count == 2)
            await nodes.pause(.milliseconds(200))
            #expect(await answer(nodes, 1, holding.places[1], [2]) == false)
            let counts = await nodes.traffic(0, with: 1, .data).counts
            #expect(counts.lateAnswers == 1 && counts.timedOutRequests == 2)
            #expect(await nodes.traffic(1, with: 0, .data).counts.expiredOutgoing == 1)
            // An answer that is given twice is dropped, and so is one after it.
            _ = await nodes.send(from: 0, to: 1, [], tag: 3, collector)
            await nodes.pause(.milliseconds(50))
            _ = await answer(nodes, 1, holding.places[2], [3])
            _ = await answer(nodes, 1, holding.places[2], [4])
            await collector.wait(3)
            await nodes.pause(.milliseconds(200))
            #expect(collector.replies == [3: [3]])
        }
    }

    @Test(arguments: 0..<5)
    func aBrokenLinkFailsWhatWaitsAtOnceAndComesBack(_ seed: UInt64) throws {
        let nodes = MessageWorld(seed: seed)
        try nodes.run { nodes in
            _ = await hold(nodes, 1)
            let collector = Collector()
            for tag in 0..<100 {
                _ = await nodes.send(
                    from: 0, loop: tag % 2, to: 1, [1], tag: UInt64(tag), collector, timeoutMilliseconds: 60_000)
            }
            await nodes.pause(.seconds(2))
            let start = nodes.milliseconds()
            nodes.world.network.resetConnections(between: nodes.machines[0], and: nodes.machines[1])
            await collector.wait(100)
            #expect(nodes.milliseconds() - start <= 1)
            #expect(collector.failures.values.allSatisfy { $0 == .unreachable(MessageWorld.id(1)) })
            #expect(nodes.events[0].contains(.closed(MessageWorld.id(1), .data)))
            // The connection had been up for long: it is tried again at once.
            await nodes.echo(1)
            #expect(await nodes.send(from: 0, to: 1, [9], tag: 200, collector) == .ready)
            await collector.wait(101)
            #expect(collector.replies == [200: [9]])
        }
    }

    @Test(arguments: 0..<5)
    func aNodeThatIsKilledIsUnreachableUntilItIsBack(_ seed: UInt64) throws {
        let nodes = MessageWorld(seed: seed)
        try nodes.run { nodes in
            let (service, peer) = (nodes.services[0], MessageWorld.id(1))
            nodes.services[1].handle(.ping) { _ in [1] }
            _ = try await service.request(.ping, [], to: peer, timeout: .seconds(1))
            nodes.machines[1].kill()
            for _ in 0..<20 {
                let start = nodes.milliseconds()
                await #expect(throws: MessageFailure.unreachable(peer)) {
                    try await service.request(.ping, [], to: peer, timeout: .seconds(5))
                }
                #expect(nodes.milliseconds() - start < 100)
                await nodes.pause(.milliseconds(100))
            }
            // Attempts are made rarely.
            let attempts = await nodes.traffic(0, with: 1, .control).counts.attempts
            #expect(attempts >= 3 && attempts <= 9, "\(attempts) attempts")
            try await nodes.restart(1)
            nodes.services[1].handle(.ping) { _ in [2] }
            nodes.services[0].handle(.hello) { _ in [] }
            // It calls: that lets the other side forget how often it has tried.
            _ = try await nodes.services[1].request(.hello, [], to: MessageWorld.id(0), timeout: .seconds(1))
            #expect(try await service.request(.ping, [], to: peer, timeout: .seconds(1)) == [2])
        }
    }

    @Test func aNodeThatComesBackIsFoundWithoutItsCall() throws {
        let nodes = MessageWorld(seed: 4)
        try nodes.run { nodes in
            let (service, peer) = (nodes.services[0], MessageWorld.id(1))
            nodes.machines[1].kill()
            for _ in 0..<30 {
                _ = try? await service.request(.ping, [], to: peer, timeout: .seconds(1))
                await nodes.pause(.milliseconds(200))
            }
            try await nodes.restart(1)
            nodes.services[1].handle(.ping) { _ in [2] }
            await nodes.pause(.milliseconds(1_100))
            #expect(try await service.request(.ping, [], to: peer, timeout: .seconds(1)) == [2])
        }
    }

    @Test func aSilentMachineLetsRequestsTimeOut() throws {
        let nodes = MessageWorld(seed: 5)
        try nodes.run { nodes in
            await nodes.echo(1)
            let collector = Collector()
            _ = await nodes.send(from: 0, to: 1, [1], tag: 1, collector)
            await collector.wait(1)
            nodes.world.network.split([nodes.machines[0]], from: [nodes.machines[1]])
            for tag in 2...5 { _ = await nodes.send(from: 0, to: 1, [1], tag: UInt64(tag), collector) }
            await collector.wait(5)
            #expect(collector.failures.values.allSatisfy { $0 == .timedOut(MessageWorld.id(1)) })
            // Somebody has found out that it is dead: what waits fails at once.
            _ = await nodes.send(from: 0, to: 1, [1], tag: 6, collector, timeoutMilliseconds: 60_000)
            nodes.services[0].disconnect(from: MessageWorld.id(1))
            await collector.wait(6)
            #expect(collector.failures[6] == .unreachable(MessageWorld.id(1)))
            nodes.world.network.healAll()
            await nodes.pause(.seconds(2))
            _ = await nodes.send(from: 0, to: 1, [7], tag: 7, collector)
            await collector.wait(7)
            #expect(collector.replies[7] == [7])
        }
    }

    @Test func whatWaitsForAConnectionExpires() throws {
        let nodes = MessageWorld(seed: 6)
        try nodes.run { nodes in
            let holding = await hold(nodes, 1)
            let collector = Collector()
            // Connecting takes its time, so that the first request is over before it has left.
            var slow = LinkBehavior()
            slow.latency = SimulatedLatency(minimum: .milliseconds(200), maximum: .milliseconds(200))
            nodes.world.network.setLink(from: nodes.machines[0], to: nodes.machines[1], slow)
            _ = await nodes.send(from: 0, to: 1, [1], tag: 1, collector, timeoutMilliseconds: 100)
            _ = await nodes.send(from: 0, to: 1, [2], tag: 2, collector, timeoutMilliseconds: 2_000)
            await collector.wait(1)
            #expect(collector.failures == [1: .timedOut(MessageWorld.id(1))])
            await nodes.pause(.milliseconds(1_000))
            #expect(holding.bodies == [[2]])
            // What is left of its time has travelled with it.
            let there = nodes.machines[1].host.time.monotonicNanoseconds
            let left = (Int(holding.places[0].deadlineNanoseconds) - Int(there)) / 1_000_000
            #expect(left > 300 && left < 1_700, "\(left) ms")
            #expect(await nodes.traffic(0, with: 1, .data).counts.expiredOutgoing == 1)
        }
    }

    @Test func aRequestWhoseTimeIsUpIsNotCarriedOut() throws {
        let nodes = MessageWorld(seed: 7, loops: 1)
        try nodes.run { nodes in
            let holding = await hold(nodes, 1)
            let collector = Collector()
            _ = await nodes.send(from: 0, to: 1, [], tag: 1, collector, timeoutMilliseconds: 0)
            await collector.wait(1)
            await nodes.pause(.milliseconds(100))
            #expect(holding.places.isEmpty)
        }
    }

    @Test func aNodeThatMovesIsFollowed() throws {
        let nodes = MessageWorld(seed: 8, nodes: 3)
        try nodes.run { nodes in
            let (service, peer) = (nodes.services[0], MessageWorld.id(1))
            nodes.services[1].handle(.ping) { _ in [1] }
            _ = try await service.request(.ping, [], to: peer, timeout: .seconds(1))
            // The same node on the third machine.
            await nodes.services[2].stop()
            var identity = nodes.identity(1)
            identity.address = nodes.members[2].internode
            let moved = nodes.makeService(2, identity: identity)
            try await moved.start()
            moved.handle(.ping) { _ in [3] }
            var members = Array(nodes.members[..<2])
            members[1].internode = identity.address
            service.setMembers(members)
            #expect(try await service.request(.ping, [], to: peer, timeout: .seconds(1)) == [3])
            service.setMembers([members[0]])
            await #expect(throws: MessageFailure.unreachable(peer)) {
                try await service.request(.ping, [], to: peer, timeout: .seconds(1))
            }
            await moved.stop()
        }
    }

    @Test(arguments: 0..<6)
    func everyRequestEndsOnceWhateverTheNetworkDoes(_ seed: UInt64) throws {
        let nodes = MessageWorld(seed: seed, nodes: 3)
        nodes.world.network.defaultLink.resetProbability = 0.01
        nodes.world.network.defaultLink.latency.slowProbability = 0.02
        try nodes.run { nodes in
            var generator = SeededGenerator(seed: seed)
            for target in 0..<3 { await nodes.echo(target) }
            let collector = Collector()
            var sent = 0
            for tag in 0..<2_000 {
                let count = generator.oneIn(40) ? 100_000 : generator.below(300)
                let outcome = await nodes.send(
                    from: generator.below(3), loop: tag % 2, to: generator.below(3),
                    [UInt8](repeating: UInt8(truncatingIfNeeded: tag), count: count), tag: UInt64(tag), collector,
                    lane: generator.oneIn(5) ? .bulk : .data, timeoutMilliseconds: 500)
                if outcome == .ready { sent += 1 }
                if tag % 100 == 0 { nodes.world.network.cut(from: nodes.machines[0], to: nodes.machines[1]) }
                if tag % 100 == 50 { nodes.world.network.healAll() }
                if generator.oneIn(20) { await nodes.pause(.milliseconds(10)) }
            }
            await collector.wait(sent)
            await nodes.pause(.seconds(2))
            #expect(collector.endCount == sent && collector.replies.count > sent / 4, "seed \(seed)")
            let isRight = collector.replies.allSatisfy { tag, body in
                body.allSatisfy { $0 == UInt8(truncatingIfNeeded: tag) }
            }
            #expect(isRight, "seed \(seed)")
            for index in 0..<3 {
                let outstanding = await nodes.services[index].traffic().map(\.outstandingRequests)
                #expect(outstanding.allSatisfy { $0 == 0 })
            }
        }
    }
}
