import CQL
import DataModel
import Primitives
import Testing

@Suite struct VersionNegotiationTests {
    private static func answer(_ bytes: [UInt8]) -> [UInt8]? {
        var buffer = ReadBuffer(.server)
        guard case .unsupportedVersion(let client)? = buffer.receive(bytes).first else { return nil }
        var writer = ByteWriter()
        VersionNegotiation.write(client, into: &writer)
        return writer.array()
    }

    private static func text(_ answer: [UInt8], headerByteCount: Int = 9) -> String {
        String(decoding: answer[(headerByteCount + 6)...], as: UTF8.self)
    }

    @Test(arguments: [UInt8(66), 65, 127, 0, 7, 22])
    func unknownVersionsAreAnsweredInOurNewest(number: UInt8) throws {
        let answer = try #require(Self.answer([number, 0, 0, 3, 5, 0, 0, 0, 0]))
        #expect(answer[0] == 0x85)
        #expect(Array(answer[2...4]) == [0, 3, 0])
        let words =
            "Invalid or unsupported protocol version (\(number)); supported versions are (3/v3, 4/v4, 5/v5, 6/v6-beta)"
        #expect(Self.text(answer) == words)
        let header = FrameHeader(
            version: .v5, flags: [], stream: 3, opcode: .error, bodyByteCount: answer.count - 9)
        let body = Array(answer[9...])
        let read = try Response.decode(header, body.span.bytes).response
        #expect(read == .error(.protocolError(message: words)))
    }

    @Test(arguments: [UInt8(1), 2])
    func theOldVersionsAreAnsweredWithTheirShortHeader(number: UInt8) throws {
        let answer = try #require(Self.answer([number, 0, 5, 1, 0, 0, 0, 0]))
        #expect(Array(answer[..<4]) == [number | 0x80, 0, 5, 0])
        let length = Int(answer[6]) << 8 | Int(answer[7])
        #expect(length == answer.count - 8)
        let words = VersionNegotiation.message(for: number)
        #expect(Self.text(answer, headerByteCount: 8) == words)
    }

    @Test func theBetaVersionIsToldOfItsFlag() throws {
        let unset = try #require(Self.answer([6, 0, 0, 0, 5, 0, 0, 0, 0]))
        #expect(unset[0] == 0x86)
        #expect(Self.text(unset) == "Beta version of the protocol used (6/v6-beta), but USE_BETA flag is unset")
        var buffer = ReadBuffer(.server)
        let set = buffer.receive([6, 0x10, 0, 0, 5, 0, 0, 0, 0])
        #expect(set == [.message(Message(.options, stream: 0, body: [], version: .v6, flags: .useBeta))])
    }

    @Test func theBetaVersionIsAnsweredWithItsFlag() {
        var frames = FrameWriter(version: .v6)
        var output = ByteWriter()
        frames.begin(.ready, stream: 1, into: &output)
        frames.end(in: &output)
        #expect(output.array() == [0x86, 0x10, 0, 1, 2, 0, 0, 0, 0])
    }

    @Test func theAnswerWaitsForTheWholeHeader() {
        var buffer = ReadBuffer(.server)
        let early = buffer.receive([66, 0, 0, 3, 5, 0, 0, 0])
        #expect(early.isEmpty)
        let late = buffer.receive([0])
        #expect(late == [.unsupportedVersion(UnsupportedVersion(number: 66, flags: 0, stream: 3))])
    }

    @Test func aVersionThatIsSwitchedOffIsRefusedWithBothNames() {
        let error = VersionNegotiation.olderVersionRefused(.v3, oldest: .v5)
        #expect(error.message == "Rejecting Protocol Version 3/v3 < 5/v5.")
    }

    @Test func levelsHaveTheirCodesAndNames() {
        #expect(Consistency.allCases.map(\.rawValue) == Array(0...11))
        #expect(Consistency(named: "local_quorum") == .localQuorum)
        #expect(Consistency(named: "nope") == nil)
        #expect(throws: ProtocolError.self) { _ = try Consistency(code: 12) }
    }
}
