import Cluster
import Environment
import Primitives
import SimulatedHost
import Testing

/// What nodes do when there is too much.
@Suite struct MessageBoundsTests {
    @Test func aPeerThatTakesNothingIsOverloaded() throws {
        var settings = MessageSettings()
        settings.data = LaneLimits(frameByteCount: 1 << 20, waitingByteCount: 100_000, unsentByteCount: 20_000)
        let nodes = MessageWorld(seed: 1, settings: settings)
        try nodes.run { nodes in
            await nodes.echo(1)
            let collector = Collector()
            _ = await nodes.send(from: 0, to: 1, [1], tag: 0, collector)
            await collector.wait(1)
            nodes.world.network.split([nodes.machines[0]], from: [nodes.machines[1]])
            var taken = 1
            var outcome: SendOutcome = .ready
            while outcome == .ready, taken < 10_000 {
                outcome = await nodes.send(
                    from: 0, to: 1, [UInt8](repeating: 1, count: 1_000), tag: UInt64(taken), collector,
                    timeoutMilliseconds: 5_000)
                taken += outcome == .ready ? 1 : 0
            }
            #expect(outcome == .overloaded && taken > 100 && taken < 200, "\(taken) messages")
            let traffic = await nodes.traffic(0, with: 1, .data)
            #expect(traffic.pendingBytes < 160_000 && traffic.counts.overloadedOutgoing == 1)
            nodes.world.network.healAll()
            await collector.wait(taken)
            #expect(collector.failures.isEmpty)
        }
    }

    @Test func whatWaitsTooLongForASlowPeerMakesRoom() throws {
        var settings = MessageSettings()
        settings.data = LaneLimits(frameByteCount: 1 << 20, waitingByteCount: 50_000, unsentByteCount: 20_000)
        let nodes = MessageWorld(seed: 2, settings: settings)
        try nodes.run { nodes in
            let collector = Collector()
            await nodes.echo(1)
            _ = await nodes.send(from: 0, to: 1, [1], tag: 0, collector)
            await collector.wait(1)
            nodes.world.network.split([nodes.machines[0]], from: [nodes.machines[1]])
            var tag: UInt64 = 1
            for _ in 0..<3 {
                while await nodes.send(
                    from: 0, to: 1, [UInt8](repeating: 1, count: 1_000), tag: tag, collector,
                    timeoutMilliseconds: 100) == .ready
                { tag += 1 }
                await collector.wait(Int(tag))
            }
            #expect(tag > 150)
            #expect(await nodes.traffic(0, with: 1, .data).counts.expiredOutgoing > 80)
        }
    }

    @Test func aLoopHasALimitOfRequests() throws {
        var settings = MessageSettings()
        settings.outstandingCount = 10
        settings.outstandingCountPerLink = 8
        let nodes = MessageWorld(seed: 3, nodes: 3, settings: settings)
        try nodes.run { nodes in
            let collector = Collector()
            var outcomes: [SendOutcome] = []
            for tag in 0..<20 {
                outcomes.append(await nodes.send(from: 0, to: tag < 10 ? 1 : 2, [], tag: UInt64(tag), collector))
            }
            #expect(outcomes.count { $0 == .ready } == 10 && outcomes[8] == .overloaded && outcomes[10] == .ready)
            await collector.wait(10)
        }
    }

    @Test func bulkNeverDelaysControl() throws {
        var settings = MessageSettings()
        settings.compression = .none
        let nodes = MessageWorld(seed: 4, settings: settings)
        try nodes.run { nodes in
            let (service, peer) = (nodes.services[0], MessageWorld.id(1))
            nodes.services[1].handle(.ping) { _ in [1] }
            nodes.services[1].handle(.hint) { _ in [1] }
            _ = try await service.request(.ping, [], to: peer, timeout: .seconds(1))
            let done = Bodies()
            let loop = nodes.machines[0].host.loops[0]
            let work = nodes.machines[0].host.background.run("bulk", on: loop) {
                let large = [UInt8](repeating: 3, count: 8 << 20)
                for _ in 0..<3 {
                    let answer = try? await service.request(.hint, large, to: peer, timeout: .seconds(60))
                    done.add(answer ?? [])
                }
            }
            for _ in 0..<30 {
                let start = nodes.world.nowNanoseconds
                _ = try await service.request(.ping, [], to: peer, timeout: .seconds(1))
                #expect(nodes.world.nowNanoseconds - start < 2_000_000)
            }
            #expect(done.all.count < 3)
            await work.wait()
            #expect(done.all == [[1], [1], [1]])
            #expect(await nodes.traffic(0, with: 1, .bulk).counts.sentMessages == 3)
        }
    }

    @Test func largeMessagesGoOverTheBulkLane() throws {
        let nodes = MessageWorld(seed: 5)
        try nodes.run { nodes in
            await nodes.echo(1)
            let collector = Collector()
            // The last request comes over the bulk lane and its answer goes back there.
            for (tag, count) in [60_000, 70_000, 2 << 20].enumerated() {
                _ = await nodes.send(
                    from: 0, loop: 1, to: 1, [UInt8](repeating: 1, count: count), tag: UInt64(tag), collector,
                    timeoutMilliseconds: 5_000)
            }
            await collector.wait(3)
            #expect((0..<3).map { collector.replies[UInt64($0)]?.count } == [60_000, 70_000, 2 << 20])
            #expect(await nodes.traffic(0, with: 1, .data).counts.sentMessages == 1)
            #expect(await nodes.traffic(0, with: 1, .bulk).counts.sentMessages == 2)
        }
    }

    @Test func aLargeAnswerToASmallRequestFindsItsLoop() throws {
        let nodes = MessageWorld(seed: 6, loops: 3)
        try nodes.run { nodes in
            nodes.services[1].handle(.readRow) { _ in [UInt8](repeating: 2, count: 3 << 20) }
            nodes.services[1].handle(.metadataFetch) { _ in [UInt8](repeating: 3, count: 3 << 20) }
            for _ in 0..<4 {
                let row = try await nodes.services[0].request(
                    .readRow, [], to: MessageWorld.id(1), timeout: .seconds(5))
                let metadata = try await nodes.services[0].request(
                    .metadataFetch, [], to: MessageWorld.id(1), timeout: .seconds(5))
                #expect(row.count == 3 << 20 && metadata.count == 3 << 20)
            }
            #expect(await nodes.traffic(1, with: 0, .bulk).counts.sentMessages == 8)
        }
    }

    @Test func whatIsTooLargeForAnyLaneFails() throws {
        var settings = MessageSettings()
        settings.bulk = LaneLimits(frameByteCount: 3 << 20, waitingByteCount: 8 << 20, unsentByteCount: 1 << 20)
        let nodes = MessageWorld(seed: 7, settings: settings)
        try nodes.run { nodes in
            nodes.services[1].handle(.readRow) { message in
                [UInt8](repeating: 2, count: message.body.isEmpty ? 4 << 20 : 1)
            }
            for body: [UInt8] in [[], [UInt8](repeating: 1, count: 4 << 20)] {
                for verb in [Verb.readRow, .readRange] {
                    nodes.services[1].handle(.readRange) { _ in [UInt8](repeating: 2, count: 4 << 20) }
                    let failure = await #expect(throws: MessageFailure.self) {
                        try await nodes.services[0].request(verb, body, to: MessageWorld.id(1), timeout: .seconds(5))
                    }
                    guard case .refused(_, TransportFailure.tooLarge, _) = failure else {
                        Issue.record("\(String(describing: failure))")
                        continue
                    }
                }
            }
            let fits = [UInt8](repeating: 1, count: (3 << 20) - (64 << 10) - MessageHeader.byteCount)
            let answer = try await nodes.services[0].request(
                .readRow, fits, to: MessageWorld.id(1), timeout: .seconds(5))
            #expect(answer == [2])
        }
    }

    @Test func handlersThatAreBusySlowTheirCallersDown() throws {
        var settings = MessageSettings()
        settings.handledByteCountPerConnection = 20_000
        settings.handledByteCount = 60_000
        let nodes = MessageWorld(seed: 8, settings: settings)
        try nodes.run { nodes in
            let time = nodes.machines[1].host.time
            let busy = Peak()
            nodes.services[1].handle(.readRow) { message in
                busy.enter(message.body.count)
                try await time.sleep(for: .milliseconds(5))
                busy.leave(message.body.count)
                return [1]
            }
            let answers: Int = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<300 {
                    group.addTask {
                        let answer = try? await nodes.services[0].request(
                            .readRow, [UInt8](repeating: 1, count: 1_000), to: MessageWorld.id(1),
                            timeout: .seconds(30))
                        return answer == [1] ? 1 : 0
                    }
                }
                var count = 0
                for await one in group { count += one }
                return count
            }
            #expect(busy.peak <= 60_000)
            // One frame brings up to 64 KiB at once; what is beyond the limit of the loop is refused.
            let refused = await nodes.traffic(1, with: 0, .data).counts.overloadedIncoming
            #expect(answers + Int(refused) == 300 && answers > 100, "\(answers) answers, \(refused) refused")
        }
    }

    @Test func aCallerThatDoesNotReadItsAnswersIsNotRead() throws {
        var settings = MessageSettings()
        settings.compression = .none
        settings.data = LaneLimits(frameByteCount: 1 << 20, waitingByteCount: 1 << 20, unsentByteCount: 64 << 10)
        let nodes = MessageWorld(seed: 9, settings: settings)
        try nodes.run { nodes in
            let counting = CountingHandler()
            for shard in nodes.services[1].shards {
                await nodes.onLoop(1, shard) { shard in
                    counting.shards.append(shard)
                    shard.handle(.mutation, by: counting)
                }
            }
            let collector = Collector()
            nodes.world.network.cut(from: nodes.machines[1], to: nodes.machines[0])
            _ = await nodes.send(from: 0, to: 1, [1], tag: 0, collector, timeoutMilliseconds: 100)
            await collector.wait(1)
            nodes.world.network.healAll()
            await nodes.pause(.seconds(2))
            _ = await nodes.send(from: 0, to: 1, [1], tag: 1, collector)
            await collector.wait(2)
            // Answers of 10,000 bytes each stay on the other side.
            nodes.world.network.cut(from: nodes.machines[1], to: nodes.machines[0])
            var sent = 2
            for tag in 2..<3_000 {
                let outcome = await nodes.send(
                    from: 0, to: 1, [UInt8](repeating: 1, count: 200), tag: UInt64(tag), collector,
                    timeoutMilliseconds: 20_000)
                sent += outcome == .ready ? 1 : 0
            }
            await nodes.pause(.seconds(5))
            let traffic = await nodes.traffic(1, with: 0, .data)
            #expect(counting.count < 1_500 && traffic.pendingBytes < 16 << 20)
            nodes.world.network.healAll()
            await collector.wait(sent)
            #expect(collector.replies.count > 2_000)
        }
    }
}

/// Answers with 10,000 bytes.
///
/// `Sendable` is unchecked because a world is used by one thread at a time.
final class CountingHandler: RequestHandler, @unchecked Sendable {
    var shards: [ShardMessages] = []
    private(set) var count = 0

    func received(_ verb: Verb, from node: NodeID, body: RawSpan, reply: ReplyPlace) {
        count += 1
        guard let link = shards[Int(reply.loopIndex)].beginReply(reply) else { return }
        link.output.writeZeros(10_000)
        link.end()
    }
}

/// How much was being worked on at most.
///
/// `Sendable` is unchecked because a world is used by one thread at a time.
final class Peak: @unchecked Sendable {
    private(set) var peak = 0
    private var now = 0

    func enter(_ count: Int) {
        now += count
        peak = max(peak, now)
    }

    func leave(_ count: Int) { now -= count }
}
