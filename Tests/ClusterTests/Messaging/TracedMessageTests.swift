import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Cluster

/// Messages that take a trace along: what comes back with the answers, and what damage does.
@Suite struct TracedMessageTests {
    private static let session = UUID(high: 7, low: 8)

    /// Sends one traced request from node 0 to another, and returns what was told until all has ended.
    private static func events(
        _ test: MessageWorld, to target: Int, _ body: [UInt8], _ collector: Collector,
        timeoutMilliseconds: UInt32 = 1_000
    ) async -> [TraceEvent] {
        let trace = RequestTrace(
            id: session, source: test.members[0].internode, host: test.machines[0].host)
        let shard: ShardMessages = test.services[0].shards[0]
        await test.onLoop(0, shard) { shard in
            let link: PeerLink = shard.link(to: MessageWorld.id(target), lane: .data)
            guard
                link.begin(
                    .mutation, for: collector, tag: 1, timeoutMilliseconds: timeoutMilliseconds, trace: trace)
                    == .ready
            else { return }
            link.output.write(body)
            link.end()
        }
        await collector.wait(1)
        return trace.takeEvents()
    }

    @Test(arguments: [0, 5, 200_000]) func anAnswerBringsTheEventsOfItsNode(_ byteCount: Int) throws {
        let test = MessageWorld(seed: 1)
        try test.run { test in
            await test.echo(1)
            let body: [UInt8] = Array(repeating: 3, count: byteCount)
            let collector = Collector()
            let events = await TracedMessageTests.events(test, to: 1, body, collector)
            #expect(collector.replies[1] == body)
            let own = "/\(test.members[0].internode)"
            let other = "/\(test.members[1].internode)"
            #expect(
                events.map(\.activity) == [
                    "Sending MUTATION_REQ message to \(other)", "MUTATION_REQ message received from \(own)",
                    "Enqueuing response to \(own)", "MUTATION_RSP message received from \(other)",
                ])
            let members: [Member] = test.members
            #expect(events.map(\.source) == [0, 1, 1, 0].map { members[$0].internode })
            #expect(events.allSatisfy { $0.thread.hasPrefix("shard-") })
        }
    }

    @Test func aMessageToTheNodeItselfIsTracedToo() throws {
        let test = MessageWorld(seed: 2)
        try test.run { test in
            await test.echo(0)
            let collector = Collector()
            let events = await TracedMessageTests.events(test, to: 0, [1], collector)
            #expect(collector.replies[1] == [1])
            #expect(events.count == 4)
        }
    }

    @Test func aRefusalBringsTheEventsOfItsNode() throws {
        let test = MessageWorld(seed: 3)
        try test.run { test in
            let collector = Collector()
            let events = await TracedMessageTests.events(test, to: 1, [1], collector)
            #expect(collector.failures.count == 1)
            #expect(events.contains { $0.activity.hasPrefix("MUTATION_REQ message received") })
            #expect(events.last?.activity.hasPrefix("FAILURE_RSP message received") == true)
        }
    }

    @Test func anAnswerThatDoesNotComeIsToldOf() throws {
        let test = MessageWorld(seed: 4)
        try test.run { test in
            let holding = HoldingHandler()
            for shard in test.services[1].shards { await test.onLoop(1, shard) { $0.handle(.mutation, by: holding) } }
            let collector = Collector()
            let events = await TracedMessageTests.events(test, to: 1, [1], collector, timeoutMilliseconds: 200)
            #expect(collector.failures[1] == .timedOut(MessageWorld.id(1)))
            #expect(events.last?.activity == "No MUTATION_RSP message came from /\(test.members[1].internode) in time")
        }
    }

    @Test func waitingEndsWithTheLastAnswerOrWithTheTime() throws {
        let test = MessageWorld(seed: 5)
        try test.run { test in
            await test.echo(1)
            let host: Host = test.machines[0].host
            let trace = RequestTrace(id: TracedMessageTests.session, source: test.members[0].internode, host: host)
            let shard: ShardMessages = test.services[0].shards[0]
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                host.background.run("settle", on: host.loops[0]) {
                    await trace.settle(within: .seconds(1), on: host.loops[0])
                    #expect(test.milliseconds() == 0, "there was nothing to wait for")
                    let link: PeerLink = shard.link(to: MessageWorld.id(1), lane: .data)
                    #expect(
                        link.begin(
                            .mutation, for: Collector(), tag: 1, timeoutMilliseconds: 1_000, trace: trace) == .ready)
                    link.end()
                    #expect(trace.hasOpenMessages)
                    await trace.settle(within: .seconds(5), on: host.loops[0])
                    #expect(!trace.hasOpenMessages && test.milliseconds() < 1_000)
                    let silent: PeerLink = shard.link(to: MessageWorld.id(1), lane: .bulk)
                    #expect(
                        silent.begin(
                            .readRange, for: Collector(), tag: 1, timeoutMilliseconds: 60_000, trace: trace) == .ready)
                    silent.abandon()
                    #expect(!trace.hasOpenMessages, "what was taken back is not waited for")
                    continuation.resume()
                }
            }
        }
    }

    @Test func eventsThatAreWrittenAreRead() throws {
        let events: [TraceEvent] = [
            TraceEvent(
                wallMicroseconds: 5, elapsedMicroseconds: 6, source: .loopback(port: 7_000), thread: "shard-0",
                activity: "Parsing"),
            TraceEvent(
                wallMicroseconds: -1, elapsedMicroseconds: .max,
                source: SocketAddress(host: Array(repeating: 9, count: 16), port: .max), thread: "",
                activity: String(repeating: "ä", count: 1_000)),
        ]
        var writer = ByteWriter()
        TraceEvent.write(events, to: &writer)
        let bytes: [UInt8] = writer.array()
        #expect(try TracedMessageTests.read(bytes) == events)
        for end in bytes.indices {
            #expect(throws: DecodingError.self) { try TracedMessageTests.read(Array(bytes[..<end])) }
        }
        var odd: [UInt8] = bytes
        odd[14] = 5
        #expect(throws: DecodingError.self, "no address has 5 bytes") { try TracedMessageTests.read(odd) }
    }

    private static func read(_ bytes: [UInt8]) throws -> [TraceEvent] {
        var reader = ByteReader(bytes.span.bytes)
        return try TraceEvent.read(from: &reader)
    }

    @Test func tracesThatAreNeverAnsweredAreForgotten() {
        let world = SimulatedWorld(seed: 1)
        let host: Host = world.makeHost(name: "node", loopCount: 1).host
        let trace = RequestTrace(id: TracedMessageTests.session, source: .loopback(port: 1), host: host)
        var open = OpenTraces()
        var numbers: Set<UInt16> = []
        for index in 0..<OpenTraces.limit { numbers.insert(open.insert(trace, until: UInt64(index), now: 0)) }
        #expect(numbers.count == OpenTraces.limit - 1 || numbers.count == OpenTraces.limit)
        #expect(!numbers.contains(0))
        #expect(open.insert(trace, until: 5_000, now: 0) != 0, "one was over at 0")
        #expect(open.insert(trace, until: 5_000, now: 0) == 0)
        #expect(open.insert(trace, until: 5_000, now: 4_000) != 0)
        #expect(open.take(numbers.first ?? 0) == nil)
    }
}
