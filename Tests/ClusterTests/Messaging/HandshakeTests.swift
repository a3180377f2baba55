import Cluster
import Environment
import Primitives
import Testing

/// What nodes say to each other first.
@Suite struct HandshakeTests {
    private static let cluster = UUID(high: 1, low: 2)
    private static let other = UUID(high: 3, low: 4)

    private let identity = MessageIdentity(
        node: NodeID(UUID(high: 0, low: 5)), address: SocketAddress(ipv4: 10, 0, 0, 5, port: 7_000), datacenter: "dc1",
        clusterName: "one", clusterID: cluster)

    private let hello = Hello(
        lane: .data, clusterName: "one", clusterID: cluster, sender: NodeID(UUID(high: 0, low: 6)),
        wanted: NodeID(UUID(high: 0, low: 5)), address: SocketAddress(ipv4: 10, 0, 0, 6, port: 7_000), epoch: 9)

    private func bytes(_ hello: Hello) -> [UInt8] {
        var writer = ByteWriter()
        hello.write(to: &writer)
        return writer.array()
    }

    private func read(_ bytes: [UInt8]) -> (hello: Hello?, consumed: Int, isMalformed: Bool) {
        switch bytes.withUnsafeBytes({ Hello.read($0) }) {
        case .needMore: (nil, 0, false)
        case .malformed: (nil, 0, true)
        case .complete(let hello, let consumed): (hello, consumed, false)
        }
    }

    @Test func aGreetingComesBackAsItWas() {
        var six = hello
        six.address = SocketAddress(host: Array(0..<16), port: 1)
        six.clusterName = "Grüße"
        for greeting in [hello, six] {
            let written = bytes(greeting)
            let result = read(written + [1, 2, 3])
            #expect(result.hello == greeting && result.consumed == written.count)
        }
    }

    @Test func aGreetingMayComeInAnyTwoPieces() {
        let written = bytes(hello)
        for count in 0..<written.count {
            let result = read(Array(written[..<count]))
            #expect(result.hello == nil && !result.isMalformed, "\(count) bytes")
        }
    }

    @Test func everyFlippedBitOfAGreetingIsFound() {
        let written = bytes(hello)
        for bit in 0..<(written.count * 8) {
            var damaged = written
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(read(damaged).hello == nil, "bit \(bit)")
        }
    }

    @Test func whatIsNoGreetingIsKnownByItsFirstByte() {
        #expect(read(Array("GET / HTTP/1.1".utf8)).isMalformed)
        #expect(read([0x04]).isMalformed)
        #expect(read([0x4D, 0x52, 0x54, 0x49, 0xFF, 0xFF]).isMalformed)
    }

    @Test func answersComeBackAsTheyWere() {
        let answers: [HandshakeAnswer] = [
            .welcome(Welcome(version: 1, node: identity.node, clusterID: Self.cluster, epoch: 77)),
            .refusal(HandshakeRefusal(code: HandshakeRefusal.wrongNode, reason: "someone else")),
            .refusal(HandshakeRefusal(code: 200, reason: "")),
        ]
        for answer in answers {
            var writer = ByteWriter()
            answer.write(to: &writer)
            let whole = writer.array()
            guard case .complete(let found, let consumed) = whole.withUnsafeBytes({ HandshakeAnswer.read($0) }) else {
                Issue.record("\(answer) is not read")
                continue
            }
            #expect(found == answer && consumed == whole.count)
            for count in 0..<whole.count {
                let part = Array(whole[..<count])
                guard case .needMore = part.withUnsafeBytes({ HandshakeAnswer.read($0) }) else {
                    Issue.record("\(count) bytes are enough")
                    continue
                }
            }
        }
    }

    @Test func whoFitsIsWelcome() {
        let welcome = HandshakeAnswer.welcome(
            Welcome(version: 1, node: identity.node, clusterID: Self.cluster, epoch: 4))
        #expect(identity.answer(to: hello, epoch: 4) == welcome)
        var anyone = hello
        anyone.wanted = .none
        anyone.clusterID = UUID(high: 0, low: 0)
        anyone.newestVersion = 9
        #expect(identity.answer(to: anyone, epoch: 4) == welcome)
    }

    @Test func whoDoesNotFitLearnsWhy() {
        var cases: [(Hello, UInt8, String)] = []
        var changed = hello
        changed.clusterName = "two"
        cases.append((changed, HandshakeRefusal.otherCluster, "'one', not of 'two'"))
        changed = hello
        changed.clusterID = Self.other
        cases.append((changed, HandshakeRefusal.otherCluster, Self.other.description))
        changed = hello
        changed.wanted = NodeID(UUID(high: 0, low: 7))
        cases.append((changed, HandshakeRefusal.wrongNode, identity.node.description))
        changed = hello
        changed.oldestVersion = 2
        changed.newestVersion = 3
        cases.append((changed, HandshakeRefusal.noCommonVersion, "not 2 to 3"))
        changed = hello
        changed.sender = .none
        cases.append((changed, HandshakeRefusal.noIdentity, "whose"))
        for (greeting, code, words) in cases {
            guard case .refusal(let refusal) = identity.answer(to: greeting, epoch: 0) else {
                Issue.record("\(greeting) is welcome")
                continue
            }
            #expect(refusal.code == code && refusal.reason.contains(words), "\(refusal)")
        }
    }

    @Test func anAnswerIsJudgedToo() {
        let welcome = Welcome(version: 1, node: NodeID(UUID(high: 0, low: 6)), clusterID: Self.cluster, epoch: 0)
        #expect(identity.judge(welcome, wanted: welcome.node) == nil)
        #expect(identity.judge(welcome, wanted: .none) == nil)
        #expect(identity.judge(welcome, wanted: identity.node)?.code == HandshakeRefusal.wrongNode)
        var changed = welcome
        changed.version = 2
        #expect(identity.judge(changed, wanted: .none)?.code == HandshakeRefusal.noCommonVersion)
        changed = welcome
        changed.clusterID = Self.other
        #expect(identity.judge(changed, wanted: .none)?.code == HandshakeRefusal.otherCluster)
    }
}
