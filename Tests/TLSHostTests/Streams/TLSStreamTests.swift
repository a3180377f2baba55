import Environment
import Primitives
import SystemHost
import Testing

/// Encrypted streams over real sockets.
@Suite struct TLSStreamTests {
    private static let greeting: [UInt8] = Array("hello".utf8)

    /// Expects that what is sent comes back.
    private func expectEcho(_ owner: StreamOwner, byteCount: Int = 5) async {
        let sent: [UInt8] = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        await owner.send(sent)
        await owner.wait { $0.bytes.count >= byteCount || !$0.endings.isEmpty }
        let isSame: Bool = await owner.get { $0.bytes == sent }
        #expect(isSame)
    }

    @Test(arguments: [1, 16_384, 16_385, 3_000_000])
    func whatIsSentArrivesBothWays(_ byteCount: Int) async throws {
        try await withSystem { host in
            let (listener, owners) = try await EchoPort.open(on: host, try Certificates.server())
            let client = try await host.open(listener, try Certificates.client())
            await expectEcho(client, byteCount: byteCount)
            let name: String? = await client.get { $0.connection?.encryptionProtocol }
            #expect(name == "TLSv1.3")
            var accepted = owners.makeAsyncIterator()
            let server = try #require(await accepted.next())
            let serverName: String? = await server.get { $0.connection?.encryptionProtocol }
            #expect(serverName == "TLSv1.3")
            await client.close()
            let endings: [NetworkError?] = [await client.ending(), await server.ending()]
            #expect(endings == [nil, nil])
        }
    }

    @Test func aPausedReaderMissesNothing() async throws {
        try await withSystem { host in
            let (listener, _) = try await EchoPort.open(on: host, try Certificates.server())
            let client = try await host.open(listener, try Certificates.client())
            await client.get { $0.connection?.pauseReading() }
            await client.send([UInt8](repeating: 7, count: 200_000))
            await client.get { $0.connection?.resumeReading() }
            await client.wait { $0.bytes.count == 200_000 }
        }
    }

    @Test func withoutTLSInTheProgramAskingForItIsRefused() async throws {
        let system = OperatingSystem(loopCount: 1)
        await #expect(throws: NetworkError.insecure(.unavailable)) {
            _ = try await system.host.network.prepare(try Certificates.server())
        }
        await #expect(throws: NetworkError.insecure(.unavailable)) {
            _ = try await system.host.network.prepare(try Certificates.client())
        }
        await system.shutdown()
    }

    // MARK: Who the server is

    @Test(arguments: [nil, "localhost", "martlet.test", "127.0.0.1"])
    func aServerIsTakenWhoseCertificateIsMadeForItsHost(_ name: String?) async throws {
        try await withSystem { host in
            let (listener, _) = try await EchoPort.open(on: host, try Certificates.server())
            await expectEcho(try await host.open(listener, try Certificates.client(hostName: name)))
        }
    }

    @Test func aServerWithACertificateOfAnotherAuthorityIsRefused() async throws {
        try await withSystem { host in
            let (listener, owners) = try await EchoPort.open(on: host, try Certificates.server("stranger"))
            await #expect {
                _ = try await host.open(listener, try Certificates.client())
            } throws: { error in
                guard case NetworkError.insecure(.untrustedPeer) = error else { return false }
                return true
            }
            var accepted = owners.makeAsyncIterator()
            let server = try #require(await accepted.next())
            let error: NetworkError? = await server.ending()
            guard case .insecure(.failed(let reason)) = error else {
                Issue.record("The server says \(String(describing: error)).")
                return
            }
            #expect(reason.contains("unknown ca"))
        }
    }

    @Test func aServerWithACertificateForAnotherHostIsRefused() async throws {
        try await withSystem { host in
            let (listener, _) = try await EchoPort.open(on: host, try Certificates.server("elsewhere"))
            await #expect(throws: NetworkError.insecure(.wrongHost("localhost"))) {
                _ = try await host.open(listener, try Certificates.client(hostName: "localhost"))
            }
            await #expect(throws: NetworkError.insecure(.wrongHost("127.0.0.1"))) {
                _ = try await host.open(listener, try Certificates.client())
            }
            // The same certificate is good for the name that it has.
            await expectEcho(try await host.open(listener, try Certificates.client(hostName: "elsewhere.test")))
            var careless = try Certificates.client(hostName: "localhost")
            careless.verification = .certificate
            await expectEcho(try await host.open(listener, careless))
        }
    }

    @Test func anybodyIsTakenOnlyWhenThatIsAskedFor() async throws {
        try await withSystem { host in
            let (listener, _) = try await EchoPort.open(on: host, try Certificates.server("stranger"))
            var reckless = try Certificates.client()
            reckless.verification = .none
            await expectEcho(try await host.open(listener, reckless))
        }
    }

    @Test func newCertificatesAreForStreamsToCome() async throws {
        try await withSystem { host in
            let ready = try await host.network.prepare(try Certificates.server())
            let listener = try await host.network.listen(at: .loopback(port: 0), on: [host.loops[1]], security: ready) {
                StreamOwner($0, echoes: true)
            }
            let early = try await host.open(listener, try Certificates.client())
            ready.replace(with: try await host.network.prepare(try Certificates.server("stranger")))
            await expectEcho(early)
            await expectEcho(try await host.open(listener, try Certificates.client(trusting: "stranger-authority")))
            await #expect(throws: NetworkError.self) {
                _ = try await host.open(listener, try Certificates.client())
            }
        }
    }

    // MARK: Who the client is

    @Test func aClientMustShowACertificateWhereThatIsWanted() async throws {
        try await withSystem { host in
            var security = try Certificates.server()
            security.clientCertificates = .required
            security.trusted = try Certificates.bytes("authority.pem")
            let (listener, _) = try await EchoPort.open(on: host, security)
            await expectEcho(try await host.open(listener, try Certificates.client(as: "client")))
            for name in [nil, "stranger"] {
                // The client is done first, and hears of the refusal on the open stream.
                let client = try await host.open(listener, try Certificates.client(as: name))
                let error: NetworkError? = await client.ending()
                #expect(error != nil, "\(name ?? "none")")
                #expect(await client.get { $0.bytes.isEmpty })
            }
        }
    }

    @Test func aClientMayShowACertificateWhereThatIsChecked() async throws {
        try await withSystem { host in
            var security = try Certificates.server()
            security.clientCertificates = .checked
            security.trusted = try Certificates.bytes("authority.pem")
            let (listener, _) = try await EchoPort.open(on: host, security)
            await expectEcho(try await host.open(listener, try Certificates.client(as: "client")))
            await expectEcho(try await host.open(listener, try Certificates.client()))
            let stranger = try await host.open(listener, try Certificates.client(as: "stranger"))
            #expect(await stranger.ending() != nil)
        }
    }

    // MARK: Streams that are not encrypted

    @Test func onePortTakesBothWhereEncryptionIsOptional() async throws {
        try await withSystem { host in
            var security = try Certificates.server()
            security.acceptsPlain = true
            let (listener, owners) = try await EchoPort.open(on: host, security)
            let plain = try await host.open(listener, nil)
            await expectEcho(plain, byteCount: 100_000)
            let encrypted = try await host.open(listener, try Certificates.client())
            await expectEcho(encrypted, byteCount: 100_000)
            var accepted = owners.makeAsyncIterator()
            let first = try #require(await accepted.next())
            let second = try #require(await accepted.next())
            let names: [String?] = [
                await first.get { $0.connection?.encryptionProtocol },
                await second.get { $0.connection?.encryptionProtocol },
            ]
            #expect(names == [nil, "TLSv1.3"])
            await plain.close()
            await encrypted.close()
            #expect(await first.ending() == nil)
            #expect(await second.ending() == nil)
        }
    }

    @Test(
        arguments: [
            Array("GET / HTTP/1.1\r\n\r\n".utf8), [4, 0, 0, 0, 5, 0, 0, 0, 0], [22, 3, 1, 0, 5, 9, 9, 9, 9, 9],
            [22, 3, 1, 255, 255, 1],
        ] as [[UInt8]])
    func whatIsNoHandshakeEndsTheConnectionAndNothingElse(_ bytes: [UInt8]) async throws {
        try await withSystem(handshakeLimit: .milliseconds(300)) { host in
            let (listener, owners) = try await EchoPort.open(on: host, try Certificates.server())
            let good = try await host.open(listener, try Certificates.client(), timeout: .seconds(5))
            let client = try await host.open(listener, nil)
            await client.send(bytes)
            _ = await client.ending()
            var accepted = owners.makeAsyncIterator()
            _ = await accepted.next()
            let server = try #require(await accepted.next())
            #expect(await server.ending() != nil)
            #expect(await server.get { $0.bytes.isEmpty })
            await expectEcho(good)
        }
    }

    @Test func seededGarbageEndsTheConnection() async throws {
        let seed: UInt64 = 42
        var generator = SeededGenerator(seed: seed)
        try await withSystem(handshakeLimit: .milliseconds(300)) { host in
            let (listener, _) = try await EchoPort.open(on: host, try Certificates.server())
            for round in 0..<40 {
                let client = try await host.open(listener, nil)
                let count = Int(generator.next() % 600) + 1
                var bytes: [UInt8] = (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
                if round % 2 == 0 { bytes.replaceSubrange(0..<0, with: [22, 3, 1, 0, UInt8(count % 200)]) }
                await client.send(bytes)
                _ = await client.ending()
            }
            await expectEcho(try await host.open(listener, try Certificates.client()))
        }
    }

    @Test func aServerThatSpeaksNoTLSIsNotTakenForOneThatDoes() async throws {
        try await withSystem { host in
            let (listener, _) = try await EchoPort.open(on: host, nil)
            await #expect {
                _ = try await host.open(listener, try Certificates.client())
            } throws: { error in
                guard case NetworkError.insecure(.failed) = error else { return false }
                return true
            }
        }
    }

    // MARK: Handshakes that do not end

    @Test(arguments: [false, true])
    func aSilentConnectionIsCountedAndEndedAtTheDeadline(_ acceptsPlain: Bool) async throws {
        try await withSystem(handshakeLimit: .milliseconds(50)) { host in
            var security = try Certificates.server()
            security.acceptsPlain = acceptsPlain
            let (listener, owners) = try await EchoPort.open(on: host, security)
            let client = try await host.open(listener, nil)
            var accepted = owners.makeAsyncIterator()
            let server = try #require(await accepted.next())
            // Its owner knows of it before anything has come.
            await server.wait { $0.connection != nil }
            #expect(await server.ending() == .insecure(.lateHandshake))
            _ = await client.ending()
        }
    }

    @Test func anOwnerCanEndAConnectionThatHasNotShakenHands() async throws {
        try await withSystem(handshakeLimit: .seconds(3_600)) { host in
            let (listener, owners) = try await EchoPort.open(on: host, try Certificates.server())
            let client = try await host.open(listener, nil)
            var accepted = owners.makeAsyncIterator()
            let server = try #require(await accepted.next())
            await server.wait { $0.connection != nil }
            await server.send(TLSStreamTests.greeting)
            await server.close()
            _ = await server.ending()
            _ = await client.ending()
            #expect(await client.get { $0.bytes.isEmpty })
        }
    }

    @Test func aClientDoesNotWaitForAServerThatSaysNothing() async throws {
        try await withSystem { host in
            let loop: any Loop = host.loops[1]
            let listener = try await host.network.listen(at: .loopback(port: 0), on: [loop]) { StreamOwner($0) }
            await #expect(throws: NetworkError.insecure(.lateHandshake)) {
                _ = try await host.open(listener, try Certificates.client(), timeout: .milliseconds(50))
            }
        }
    }

    @Test func nobodyThereIsToldAsWithoutTLS() async throws {
        try await withSystem { host in
            let (listener, _) = try await EchoPort.open(on: host, try Certificates.server())
            await listener.close()
            await #expect(throws: NetworkError.refused(listener.address)) {
                _ = try await host.open(listener, try Certificates.client())
            }
        }
    }
}
