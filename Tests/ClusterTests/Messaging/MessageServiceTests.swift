import Cluster
import Environment
import Primitives
import SimulatedHost
import Testing

/// Nodes that send each other messages.
@Suite struct MessageServiceTests {
    @Test(arguments: 0..<5)
    func aRequestIsAnswered(_ seed: UInt64) throws {
        let nodes = MessageWorld(seed: seed)
        try nodes.run { nodes in
            nodes.services[1].handle(.gossipSyn) { message in
                #expect(message.sender == MessageWorld.id(0) && message.verb == .gossipSyn)
                return message.body.reversed()
            }
            let answer = try await nodes.services[0].request(
                .gossipSyn, [1, 2, 3], to: MessageWorld.id(1), timeout: .seconds(1))
            #expect(answer == [3, 2, 1])
        }
    }

    @Test func aNodeCanAskItself() throws {
        let nodes = MessageWorld(seed: 1, nodes: 1)
        try nodes.run { nodes in
            let service = nodes.services[0]
            service.handle(.ping) { _ in [] }
            service.handle(.readRow) { message in message.body + [9] }
            #expect(try await service.request(.ping, [], to: MessageWorld.id(0), timeout: .seconds(1)) == [])
            #expect(try await service.request(.readRow, [8], to: MessageWorld.id(0), timeout: .seconds(1)) == [8, 9])
            let large = [UInt8](repeating: 7, count: 2 << 20)
            let answer = try await service.request(.readRow, large, to: MessageWorld.id(0), timeout: .seconds(1))
            #expect(answer.count == large.count + 1)
        }
        #expect(nodes.world.network.openEndCount == 0)
    }

    @Test func aMessageWithoutAnAnswerArrives() throws {
        let nodes = MessageWorld(seed: 2)
        let seen: [UInt8] = try nodes.run { nodes in
            let bodies = Bodies()
            nodes.services[1].handle(.goodbye) { message in
                bodies.add(message.body)
                return [1, 2, 3]
            }
            nodes.services[0].send(.goodbye, [5], to: MessageWorld.id(1))
            nodes.services[0].send(.goodbye, [6], to: MessageWorld.id(1))
            await nodes.pause(.milliseconds(100))
            #expect(await nodes.traffic(0, with: 1, .control).counts.receivedMessages == 0)
            return bodies.all.flatMap { $0 }.sorted()
        }
        #expect(seen == [5, 6])
    }

    @Test func whatAHandlerRefusesComesBackWithItsReason() throws {
        struct Strange: Error {}
        let nodes = MessageWorld(seed: 3)
        try nodes.run { nodes in
            let (service, peer) = (nodes.services[0], MessageWorld.id(1))
            nodes.services[1].handle(.metadataFetch) { _ in throw Refusal(code: 7, reason: "not now") }
            nodes.services[1].handle(.ping) { _ in throw Strange() }
            await #expect(throws: MessageFailure.refused(peer, code: 7, reason: "not now")) {
                try await service.request(.metadataFetch, [], to: peer, timeout: .seconds(1))
            }
            await #expect(
                throws: MessageFailure.refused(peer, code: TransportFailure.handlerFailed, reason: "Strange()")
            ) {
                try await service.request(.ping, [], to: peer, timeout: .seconds(1))
            }
            let failure = await #expect(throws: MessageFailure.self) {
                try await service.request(.hint, [], to: peer, timeout: .seconds(1))
            }
            guard case .refused(peer, TransportFailure.noHandler, _) = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
        }
    }

    @Test func nobodyKnowsAStranger() throws {
        let nodes = MessageWorld(seed: 4)
        try nodes.run { nodes in
            let stranger = MessageWorld.id(77)
            await #expect(throws: MessageFailure.unreachable(stranger)) {
                try await nodes.services[0].request(.ping, [], to: stranger, timeout: .seconds(1))
            }
            nodes.services[0].send(.ping, [], to: stranger)
        }
    }

    @Test func anAddressCanBeAskedBeforeTheNodeIsKnown() throws {
        let nodes = MessageWorld(seed: 5)
        try nodes.run { nodes in
            let service = nodes.services[0]
            service.setMembers([])
            var young = nodes.identity(0)
            young.clusterID = UUID(high: 0, low: 0)
            service.setIdentity(young)
            nodes.services[1].handle(.metadataFetch) { _ in [UInt8](repeating: 1, count: 3 << 20) }
            let address = nodes.members[1].internode
            for _ in 0..<3 {
                let answer = try await service.request(.metadataFetch, [1], at: address, timeout: .seconds(5))
                #expect(answer.sender == MessageWorld.id(1) && answer.body.count == 3 << 20)
            }
            service.handle(.metadataFetch) { _ in [4] }
            let own = try await service.request(
                .metadataFetch, [], at: nodes.members[0].internode, timeout: .seconds(1))
            #expect(own.sender == MessageWorld.id(0) && own.body == [4])
            await nodes.pause(.milliseconds(50))
            #expect(nodes.world.network.openEndCount == 0)
            let nobody = SocketAddress(host: nodes.members[1].internode.host, port: 1)
            await #expect(throws: MessageFailure.unreachable(.none)) {
                try await service.request(.metadataFetch, [], at: nobody, timeout: .seconds(1))
            }
        }
    }

    @Test func otherClustersAndOtherNodesAreRefusedWithAReason() throws {
        let nodes = MessageWorld(seed: 6)
        try nodes.run { nodes in
            var identity = nodes.identity(0)
            identity.clusterName = "prod"
            identity.address = SocketAddress(host: identity.address.host, port: 7_001)
            let other = nodes.makeService(0, identity: identity)
            other.setMembers(nodes.members)
            let failure = await #expect(throws: MessageFailure.self) {
                try await other.request(.ping, [], to: MessageWorld.id(1), timeout: .seconds(1))
            }
            guard case .refused(_, TransportFailure.refusedConnection + 1, let reason) = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
            #expect(reason == "This node is of the cluster 'test', not of 'prod'")
            // Another node than the members say is at an address.
            var moved = nodes.members
            moved[1].id = MessageWorld.id(9)
            nodes.services[0].setMembers(moved)
            let wrong = await #expect(throws: MessageFailure.self) {
                try await nodes.services[0].request(.ping, [], to: MessageWorld.id(9), timeout: .seconds(1))
            }
            guard case .refused(_, TransportFailure.refusedConnection + 2, _) = wrong else {
                Issue.record("\(String(describing: wrong))")
                return
            }
        }
        let refusals = nodes.events[1].filter { if case .refused = $0 { true } else { false } }
        #expect(refusals.count == 2)
    }

    @Test(arguments: 0..<5)
    func thousandsOfRequestsAreInFlightAtOnce(_ seed: UInt64) throws {
        let nodes = MessageWorld(seed: seed, nodes: 3)
        try nodes.run { nodes in
            let collector = Collector()
            for target in 0..<3 { await nodes.echo(target) }
            var tag: UInt64 = 0
            for loop in 0..<2 {
                let first = tag
                let refused = await nodes.onLoop(0, nodes.services[0].shards[loop]) { shard in
                    (0..<6_000).count { index in
                        let number = first + UInt64(index)
                        let body = withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
                        return shard.request(MessageWorld.id(index % 3), body, number, collector) != .ready
                    }
                }
                #expect(refused == 0)
                tag += 6_000
            }
            await collector.wait(12_000)
            #expect(collector.failures.isEmpty, "seed \(seed)")
            let isRight = collector.replies.allSatisfy { tag, body in
                body == withUnsafeBytes(of: tag.bigEndian) { [UInt8]($0) }
            }
            #expect(isRight && collector.replies.count == 12_000 && collector.senders.count == 3)
            let traffic = await nodes.traffic(0, with: 1, .data)
            #expect(traffic.counts.sentMessages == 4_000 && traffic.counts.answeredRequests == 4_000)
            #expect(traffic.outstandingRequests == 0 && traffic.openConnections == 2)
            let there = await nodes.traffic(1, with: 0, .data)
            #expect(there.counts.receivedMessages == 4_000 && there.counts.sentMessages == 4_000)
        }
    }

    @Test(arguments: [InternodeCompression.all, .dc, .none])
    func framesToOtherDataCentresAreCompressed(_ compression: InternodeCompression) throws {
        var settings = MessageSettings()
        settings.compression = compression
        let nodes = MessageWorld(seed: 7, nodes: 3, datacenters: ["dc1", "dc1", "dc2"], settings: settings)
        let body = [UInt8](repeating: 5, count: 20_000)
        // What travels shows in the windows of the network: with a small one, a plain body takes many round trips.
        var link = LinkBehavior()
        link.windowByteCount = 2_000
        for other in nodes.machines.dropFirst() {
            nodes.world.network.setLink(from: nodes.machines[0], to: other, link)
        }
        let times: [Int] = try nodes.run { nodes in
            var times: [Int] = []
            for target in 1...2 {
                await nodes.echo(target)
                let collector = Collector()
                _ = await nodes.send(from: 0, to: target, [1], tag: 0, collector)
                await collector.wait(1)
                let start = nodes.world.nowNanoseconds
                _ = await nodes.send(from: 0, to: target, body, tag: 1, collector)
                await collector.wait(2)
                times.append(Int((nodes.world.nowNanoseconds - start) / 1_000))
                #expect(collector.replies[1] == body)
            }
            return times
        }
        let isFast = times.map { $0 < 3_000 }
        #expect(isFast == [compression == .all, compression != .none], "\(times)")
    }

    @Test func whoeverIsBehindHearsOfIt() throws {
        let nodes = MessageWorld(seed: 8)
        try nodes.run { nodes in
            nodes.services[1].handle(.ping) { _ in [] }
            nodes.services[0].setEpoch(5)
            _ = try await nodes.services[0].request(.ping, [], to: MessageWorld.id(1), timeout: .seconds(1))
            nodes.services[0].setEpoch(6)
            for _ in 0..<5 {
                _ = try await nodes.services[0].request(.ping, [], to: MessageWorld.id(1), timeout: .seconds(1))
            }
            #expect(nodes.epochs[1] == [5, 6] && nodes.epochs[0].isEmpty)
            // Nobody did anything about it: after a while it is told again.
            await nodes.pause(.seconds(2))
            _ = try await nodes.services[0].request(.ping, [], to: MessageWorld.id(1), timeout: .seconds(1))
            #expect(nodes.epochs[1] == [5, 6, 6])
            nodes.services[1].setEpoch(6)
            await nodes.pause(.seconds(2))
            _ = try await nodes.services[0].request(.ping, [], to: MessageWorld.id(1), timeout: .seconds(1))
            #expect(nodes.epochs[1] == [5, 6, 6])
        }
    }

    @Test func aNodeThatStopsFailsWhatWaits() throws {
        let nodes = MessageWorld(seed: 9)
        try nodes.run { nodes in
            let holding = HoldingHandler()
            for shard in nodes.services[1].shards {
                await nodes.onLoop(1, shard) { $0.handle(.mutation, by: holding) }
            }
            let collector = Collector()
            _ = await nodes.send(from: 0, to: 1, [1], tag: 1, collector)
            await nodes.pause(.milliseconds(20))
            #expect(holding.places.count == 1)
            await nodes.services[0].stop()
            #expect(collector.failures == [1: .closed])
            #expect(await nodes.send(from: 0, to: 1, [1], tag: 2, collector) == .closed)
            await #expect(throws: MessageFailure.closed) {
                try await nodes.services[0].request(.ping, [], to: MessageWorld.id(1), timeout: .seconds(1))
            }
            await nodes.pause(.milliseconds(20))
            #expect(nodes.world.network.openEndCount == 0)
            // The answer comes too late for a connection that has gone.
            for shard in nodes.services[1].shards {
                let isTaken = await nodes.onLoop(1, shard) { $0.beginReply(holding.places[0]) != nil }
                #expect(!isTaken)
            }
        }
        #expect(nodes.events[1].contains(.closed(MessageWorld.id(0), .data)))
    }

    @Test func theSameSeedGivesTheSameHistory() throws {
        func history(_ seed: UInt64) throws -> UInt64 {
            let nodes = MessageWorld(seed: seed, nodes: 3)
            nodes.world.network.defaultLink.resetProbability = 0.002
            try nodes.run { nodes in
                for target in 0..<3 {
                    await nodes.echo(target)
                    nodes.services[target].handle(.ping) { $0.body }
                }
                let collector = Collector()
                for tag in 0..<300 {
                    let (source, target) = (tag % 3, (tag / 3) % 3)
                    let outcome = await nodes.send(
                        from: source, loop: tag % 2, to: target, [UInt8](repeating: 1, count: tag * 7),
                        tag: UInt64(tag), collector)
                    if outcome != .ready { collector.failed(UInt64(tag), from: .none, .closed) }
                    if tag % 10 == 0 {
                        _ = try? await nodes.services[source].request(
                            .ping, [1], to: MessageWorld.id(target), timeout: .milliseconds(200))
                    }
                }
                await collector.wait(300)
            }
            return nodes.world.traceHash
        }
        for seed: UInt64 in 0..<5 {
            #expect(try history(seed) == history(seed), "seed \(seed)")
        }
        #expect(try history(1) != history(2))
    }
}

/// `Sendable` is unchecked because a world is used by one thread at a time.
final class Bodies: @unchecked Sendable {
    private(set) var all: [[UInt8]] = []
    func add(_ body: [UInt8]) { all.append(body) }
}
