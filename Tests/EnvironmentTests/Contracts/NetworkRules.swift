import Environment
import Primitives
import Testing

let networkRules: [Rule] = [
    Rule("port 0 becomes a port that can be reached") { host, _ in
        let listener = try await host.network.listen(at: .loopback(port: 0), on: host.loops) { EchoOwner($0) }
        #expect(listener.address.port != 0)
        #expect(listener.address.host == [127, 0, 0, 1])
        let client = RecordingOwner(host.loops[0])
        let connection = try await host.network.connect(
            to: listener.address, on: host.loops[0], timeout: .seconds(5)
        ) { client }
        let addresses: [SocketAddress] = await on(host.loops[0]) {
            [connection.remoteAddress, connection.localAddress]
        }
        #expect(addresses[0] == listener.address)
        #expect(addresses[1].host == [127, 0, 0, 1] && addresses[1].port != 0)
        await client.close()
        await client.wait { !$0.endings.isEmpty }
        await listener.close()
    },
    Rule("a port is listened on once") { host, _ in
        let listener = try await host.network.listen(at: .loopback(port: 0), on: host.loops) { EchoOwner($0) }
        await #expect(throws: NetworkError.addressInUse(listener.address)) {
            _ = try await host.network.listen(at: listener.address, on: host.loops) { EchoOwner($0) }
        }
        await listener.close()
    },
    Rule("a port that nobody listens on refuses, also after its listener was closed") { host, _ in
        let listener = try await host.network.listen(at: .loopback(port: 0), on: host.loops) { EchoOwner($0) }
        await listener.close()
        await listener.close()
        await #expect(throws: NetworkError.refused(listener.address)) {
            _ = try await host.network.connect(to: listener.address, on: host.loops[0], timeout: .seconds(5)) {
                RecordingOwner(host.loops[0])
            }
        }
    },
    Rule("an address that is none is an error") { host, _ in
        let wrong = SocketAddress(host: [1, 2, 3], port: 1)
        await #expect(throws: NetworkError.self) {
            _ = try await host.network.connect(to: wrong, on: host.loops[0], timeout: .milliseconds(10)) {
                RecordingOwner(host.loops[0])
            }
        }
        await #expect(throws: NetworkError.self) {
            _ = try await host.network.listen(at: wrong, on: host.loops) { EchoOwner($0) }
        }
    },
    Rule("what is sent comes back whole, at every size", networkEcho),
    Rule("many connections are spread over the loops", networkSpread),
    Rule("addresses resolve to themselves, and localhost to loopback") { host, _ in
        let plain: [SocketAddress] = try await host.network.resolve("127.0.0.1", port: 9_042)
        #expect(plain == [.loopback(port: 9_042)])
        let named: [SocketAddress] = try await host.network.resolve("localhost", port: 1)
        #expect(named.contains(.loopback(port: 1)))
    },
]

@Sendable private func networkEcho(_ host: Host, _ folder: String) async throws {
    let listener = try await host.network.listen(at: .loopback(port: 0), on: host.loops) { EchoOwner($0) }
    let client = RecordingOwner(host.loops[0])
    _ = try await host.network.connect(to: listener.address, on: host.loops[0], timeout: .seconds(5)) { client }
    var sent: [UInt8] = []
    for count in [1, 2, 100, 4_096, 16_384, 65_536, 65_537, 1_000_000] {
        let bytes: [UInt8] = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ count) }
        sent += bytes
        let wanted: Int = sent.count
        await client.send(bytes)
        await client.wait { $0.bytes.count == wanted }
    }
    let isSame: Bool = await on(client.loop) { [sent] in client.bytes == sent }
    #expect(isSame)
    let completed: Int = await on(client.loop) { client.completedCount }
    #expect(completed >= 8)
    await client.close()
    await client.wait { !$0.endings.isEmpty }
    let endings: [NetworkError?] = await on(client.loop) { client.endings }
    #expect(endings == [nil])
    await listener.close()
}

@Sendable private func networkSpread(_ host: Host, _ folder: String) async throws {
    let tallies: [Notes] = host.loops.map { Notes($0) }
    let listener = try await host.network.listen(at: .loopback(port: 0), on: host.loops) { loop in
        #expect(loop.isCurrent)
        tallies[loop.index].add(1)
        return EchoOwner(loop)
    }
    var clients: [RecordingOwner] = []
    for index in 0..<40 {
        let loop = host.loops[index % host.loops.count]
        let client = RecordingOwner(loop)
        _ = try await host.network.connect(to: listener.address, on: loop, timeout: .seconds(5)) { client }
        clients.append(client)
    }
    for (index, client) in clients.enumerated() { await client.send([UInt8](repeating: 1, count: index + 1)) }
    for (index, client) in clients.enumerated() { await client.wait { $0.bytes.count == index + 1 } }
    for tally in tallies {
        let count: Int = await tally.all.count
        #expect(count > 0)
    }
    for client in clients { await client.close() }
    for client in clients { await client.wait { !$0.endings.isEmpty } }
    await listener.close()
}

let streamRules: [Rule] = [
    Rule("what an owner leaves is shown again, followed by what comes later") { host, _ in
        let pair = try await StreamPair(host) { $0.use = { shown in shown / 10 * 10 } }
        await pair.client.send([UInt8](0..<15))
        await pair.server.wait { $0.bytes.count == 10 }
        await pair.client.send([UInt8](15..<19))
        await pair.client.send([19])
        await pair.server.wait { $0.bytes.count == 20 }
        let bytes: [UInt8] = await on(pair.server.loop) { pair.server.bytes }
        #expect(bytes == [UInt8](0..<20))
        await pair.end()
    },
    Rule("a large message may be waited for until it is whole") { host, _ in
        let pair = try await StreamPair(host) { $0.use = { shown in shown < 500_000 ? 0 : 500_000 } }
        let bytes: [UInt8] = (0..<500_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        await pair.client.send(bytes)
        await pair.server.wait { $0.bytes.count == 500_000 }
        let isSame: Bool = await on(pair.server.loop) { pair.server.bytes == bytes }
        #expect(isSame)
        await pair.end()
    },
    Rule("a side that does not read slows the other down, and drained tells when it is over") { host, _ in
        let pair = try await StreamPair(host)
        await on(pair.server.loop) { pair.server.connection?.pauseReading() }
        let count = 32 << 20
        await pair.client.send([UInt8](repeating: 5, count: count))
        let unsent: Int = await on(pair.client.loop) { pair.client.connection?.unsentByteCount ?? 0 }
        #expect(unsent > 0 && unsent <= count)
        await on(pair.server.loop) { pair.server.connection?.resumeReading() }
        await pair.client.wait { $0.drainedCount > 0 }
        await pair.server.wait { $0.bytes.count == count }
        let (drained, left): (Int, Int) = await on(pair.client.loop) {
            (pair.client.drainedCount, pair.client.connection?.unsentByteCount ?? -1)
        }
        #expect(drained == 1 && left == 0)
        await pair.end()
    },
    Rule("what was left is shown again when reading resumes, though nothing new has come") { host, _ in
        let pair = try await StreamPair(host) { owner in
            owner.use = { _ in 0 }
            owner.reaction = { $0.pauseReading() }
        }
        await pair.client.send([1, 2, 3])
        await pair.server.wait { $0.shownCounts.last == 3 || $0.completedCount > 0 }
        await on(pair.server.loop) {
            pair.server.use = nil
            pair.server.reaction = nil
            pair.server.connection?.resumeReading()
        }
        await pair.server.wait { $0.bytes.count == 3 }
        await pair.end()
    },
    Rule("nothing is shown while reading is paused") { host, _ in
        let pair = try await StreamPair(host)
        await on(pair.server.loop) { pair.server.connection?.pauseReading() }
        await pair.client.send([1, 2, 3])
        // A round trip the other way: by its end the bytes above had every chance to be shown.
        await pair.server.send([1])
        await pair.client.wait { $0.bytes.count == 1 }
        let shown: [Int] = await on(pair.server.loop) { pair.server.shownCounts }
        #expect(shown == [])
        await on(pair.server.loop) { pair.server.connection?.resumeReading() }
        await pair.server.wait { $0.bytes.count == 3 }
        await pair.end()
    },
    Rule("what was sent before closing arrives, then both sides end") { host, _ in
        let pair = try await StreamPair(host)
        await on(pair.client.loop) {
            var writer = ByteWriter()
            writer.writeZeros(3_000_000)
            pair.client.connection?.send(&writer)
            pair.client.connection?.close()
            pair.client.connection?.close()
            // Sent too late: dropped, and the writer is empty all the same.
            writer.writeZeros(10)
            pair.client.connection?.send(&writer)
            let isEmpty: Bool = writer.isEmpty
            #expect(isEmpty)
        }
        await pair.server.wait { !$0.endings.isEmpty }
        await pair.client.wait { !$0.endings.isEmpty }
        let count: Int = await on(pair.server.loop) { pair.server.bytes.count }
        #expect(count == 3_000_000)
        let ending: [NetworkError?] = await on(pair.server.loop) { pair.server.endings }
        #expect(ending == [nil])
        await pair.listener.close()
    },
    Rule("an owner may close from inside a call, and hears of the end after it") { host, _ in
        let pair = try await StreamPair(host) { owner in owner.reaction = { $0.close() } }
        await pair.client.send([1])
        await pair.server.wait { !$0.endings.isEmpty }
        await pair.client.wait { !$0.endings.isEmpty }
        await pair.listener.close()
    },
    Rule("connections outlive their listener") { host, _ in
        let pair = try await StreamPair(host)
        await pair.listener.close()
        await pair.server.send([7])
        await pair.client.wait { $0.bytes == [7] }
        await pair.end()
    },
]
