import Cluster
import Environment
import Primitives
import SimulatedHost
import Testing

/// Connections that do not keep to the rules.
@Suite struct HostileConnectionTests {
    private func connect(_ nodes: MessageWorld, _ peer: RawPeer) async throws {
        let host = nodes.machines[1].host
        _ = try await host.network.connect(
            to: nodes.members[0].internode, on: host.loops[0], timeout: .seconds(1)
        ) { peer }
    }

    private func hello(_ nodes: MessageWorld, _ lane: Lane = .data) -> [UInt8] {
        let identity = nodes.identity(1)
        var writer = ByteWriter()
        Hello(
            lane: lane, clusterName: identity.clusterName, clusterID: identity.clusterID, sender: identity.node,
            wanted: .none, address: identity.address, epoch: 1
        ).write(to: &writer)
        return writer.array()
    }

    /// Whether the node still answers others.
    private func works(_ nodes: MessageWorld) async -> Bool {
        nodes.services[0].handle(.ping) { _ in [1] }
        let answer = try? await nodes.services[1].request(.ping, [], to: MessageWorld.id(0), timeout: .seconds(1))
        return answer == [1]
    }

    @Test func strangersAreSentAway() throws {
        let nodes = MessageWorld(seed: 1)
        try nodes.run { nodes in
            for words in ["GET / HTTP/1.1\r\n\r\n", "\u{0}", "MRTI\u{0}\u{0}", "\u{16}\u{3}\u{1}"] {
                let peer = RawPeer()
                try await connect(nodes, peer)
                peer.send(Array(words.utf8))
                await nodes.pause(.milliseconds(50))
                #expect(peer.isClosed && peer.received.isEmpty, "\(words)")
            }
            #expect(await works(nodes))
        }
    }

    @Test func whoSaysNothingIsSentAwayAfterAWhile() throws {
        let nodes = MessageWorld(seed: 2)
        try nodes.run { nodes in
            let silent = RawPeer()
            let slow = RawPeer()
            try await connect(nodes, silent)
            try await connect(nodes, slow)
            slow.send(Array(hello(nodes).dropLast()))
            await nodes.pause(.seconds(9))
            #expect(!silent.isClosed && !slow.isClosed)
            await nodes.pause(.seconds(2))
            #expect(silent.isClosed && slow.isClosed)
        }
    }

    @Test func thereIsALimitOfConnections() throws {
        var settings = MessageSettings()
        settings.acceptedCount = 3
        let nodes = MessageWorld(seed: 3, loops: 1, settings: settings)
        try nodes.run { nodes in
            var peers: [RawPeer] = []
            for _ in 0..<5 {
                let peer = RawPeer()
                try await connect(nodes, peer)
                peer.send(hello(nodes))
                await nodes.pause(.milliseconds(20))
                peers.append(peer)
            }
            #expect(peers.map(\.isClosed) == [false, false, false, true, true])
        }
    }

    @Test func aDamagedFrameEndsItsConnectionAndNoOther() throws {
        let nodes = MessageWorld(seed: 4)
        try nodes.run { nodes in
            await nodes.echo(0)
            let frame = MessageFrameTests.frame([[1, 2, 3]])
            let (good, bad) = (RawPeer(), RawPeer())
            for peer in [good, bad] {
                try await connect(nodes, peer)
                peer.send(hello(nodes))
            }
            await nodes.pause(.milliseconds(50))
            var damaged = frame
            damaged[30] ^= 1
            bad.send(frame + damaged + frame)
            good.send(frame)
            await nodes.pause(.milliseconds(50))
            #expect(bad.isClosed && !good.isClosed)
            good.send(frame)
            await nodes.pause(.milliseconds(50))
            #expect(MessageFrameTests.read(self.afterAnswer(good.received)).messages.count == 2)
            #expect(await works(nodes))
        }
        let faults = nodes.events[0].filter { if case .malformed(_, .payloadChecksum) = $0 { true } else { false } }
        #expect(faults.count == 1)
    }

    /// What a node sent after its welcome.
    private func afterAnswer(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { all in
            guard case .complete(_, let consumed) = HandshakeAnswer.read(all) else { return [] }
            return [UInt8](all[consumed...])
        }
    }

    @Test func aRequestMayComeByteByByte() throws {
        let nodes = MessageWorld(seed: 5)
        try nodes.run { nodes in
            await nodes.echo(0)
            let peer = RawPeer()
            try await connect(nodes, peer)
            for byte in hello(nodes) + MessageFrameTests.frame([[1], [2, 3]]) {
                peer.send([byte])
                await nodes.pause(.microseconds(300))
            }
            await nodes.pause(.milliseconds(50))
            let answers = MessageFrameTests.read(afterAnswer(peer.received)).messages
            #expect(answers.map(\.body) == [[1], [2, 3]] && answers.map(\.id) == [1, 2])
        }
    }

    @Test func answersNobodyWaitsForAreDropped() throws {
        let nodes = MessageWorld(seed: 6)
        try nodes.run { nodes in
            let peer = RawPeer()
            try await connect(nodes, peer)
            var writer = ByteWriter()
            var scratch = ByteWriter()
            let start = MessageFrame.begin(in: &writer)
            for id: UInt64 in [0, 1, .max, 1 << 24, 255 << 24 | 3] {
                for flags in [MessageHeader.response, 3] {
                    let message = writer.count
                    MessageHeader(
                        verbNumber: 250, flags: flags, id: id, epoch: 0, clock: .max, timeoutMilliseconds: 0
                    ).begin(in: &writer)
                    _ = MessageHeader.end(in: &writer, from: message)
                }
            }
            MessageFrame.end(in: &writer, from: start, compressing: false, scratch: &scratch)
            peer.send(hello(nodes) + writer.array())
            await nodes.pause(.milliseconds(50))
            #expect(!peer.isClosed)
            #expect(await nodes.traffic(0, with: 1, .data).counts.lateAnswers == 10)
        }
    }

    @Test(arguments: 0..<15)
    func anythingMayBeSentByAnybody(_ seed: UInt64) throws {
        let nodes = MessageWorld(seed: seed)
        try nodes.run { nodes in
            await nodes.echo(0)
            var generator = SeededGenerator(seed: seed)
            for round in 0..<40 {
                let peer = RawPeer()
                try await connect(nodes, peer)
                var bytes = hello(nodes, Lane.allCases[generator.below(3)])
                for _ in 0..<generator.below(4) {
                    bytes += MessageFrameTests.frame(
                        [generator.bytes(generator.below(900)), [1]], compressing: generator.oneIn(2))
                }
                for _ in 0..<generator.below(3) {
                    switch generator.below(3) {
                    case 0: bytes[generator.below(bytes.count)] = UInt8(truncatingIfNeeded: generator.next())
                    case 1: bytes.removeSubrange(generator.below(bytes.count)...)
                    default: bytes += generator.bytes(generator.below(100))
                    }
                    if bytes.isEmpty { bytes = [1] }
                }
                peer.send(bytes)
                if generator.oneIn(2) { peer.connection?.close() }
                if round % 10 == 9 {
                    await nodes.pause(.milliseconds(20))
                    #expect(await works(nodes), "seed \(seed)")
                }
            }
        }
    }
}
