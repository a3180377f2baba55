import CQL
import DataModel
import Primitives
import Testing

@Suite struct ErrorMessageTests {
    private static let failures: [ReplicaFailure] = [
        ReplicaFailure(address: .loopback, reason: .timeout), ReplicaFailure(address: .anyIPv4, reason: .nodeDown),
    ]

    private static let all: [CQLError] = [
        .serverError(message: "a"), .protocolError(message: "b"), .badCredentials(message: "c"),
        .unavailable(.quorum, required: 2, alive: 1), .overloaded(message: "d"), .isBootstrapping(message: "e"),
        .truncateError(message: "f"), .writeTimeout(.batchLog, .one, received: 0, required: 1),
        .readTimeout(.all, received: 1, required: 3, isDataPresent: true),
        .readFailure(.quorum, received: 1, required: 2, failures: failures, isDataPresent: false),
        .functionFailure(message: "g", keyspace: "k", function: "f", argumentTypes: ["int", "text"]),
        .writeFailure(.simple, .quorum, received: 1, required: 2, failures: failures),
        .cdcWriteFailure(message: "h"), .casWriteUnknown(.serial, received: 1, required: 2),
        .syntaxError(message: "i"), .unauthorized(message: "j"), .invalid(message: "k"), .configError(message: "l"),
        .alreadyExists(keyspace: "k", table: "t"), .alreadyExists(keyspace: "k"),
        .unprepared(statementID: [0xAB, 0x01]),
    ]

    private static func encoded(_ error: CQLError, _ version: ProtocolVersion) -> [UInt8] {
        var writer = ByteWriter()
        error.write(into: &writer, version: version)
        return writer.array()
    }

    private static func decoded(_ bytes: [UInt8], _ version: ProtocolVersion) throws -> CQLError {
        var reader = ByteReader(bytes.span.bytes)
        return try CQLError(reading: &reader, version: version)
    }

    @Test func everyErrorComesBackInVersion5() throws {
        for error in Self.all {
            let read = try Self.decoded(Self.encoded(error, .v5), .v5)
            #expect(read == error)
        }
        let contended = CQLError.casTimeout(.serial, received: 1, required: 2, contentions: 7)
        let read = try Self.decoded(Self.encoded(contended, .v5), .v5)
        #expect(read == contended)
    }

    @Test func theCodesAreThoseOfTheProtocol() {
        let codes = Self.all.map(\.code)
        let known: [Int32] = [
            0x0000, 0x000A, 0x0100, 0x1000, 0x1001, 0x1002, 0x1003, 0x1100, 0x1200, 0x1300, 0x1400, 0x1500, 0x1600,
            0x1700, 0x2000, 0x2100, 0x2200, 0x2300, 0x2400, 0x2400, 0x2500,
        ]
        #expect(codes == known)
    }

    @Test func version4CountsFailuresWithoutReasons() throws {
        let error = CQLError.readFailure(
            message: "BOOM", consistency: .localQuorum, received: 0, required: 2, failures: [Self.failures[0]],
            isDataPresent: false)
        let bytes = Self.encoded(error, .v4)
        let known: [UInt8] =
            [0, 0, 0x13, 0, 0, 4] + Array("BOOM".utf8) + [0, 6, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0]
        #expect(bytes == known)
        let write = CQLError.writeFailure(
            message: "BOOM", consistency: .localQuorum, received: 0, required: 2, failures: [Self.failures[0]],
            type: .batchLog)
        let read = try Self.decoded(Self.encoded(write, .v4), .v4)
        guard case .writeFailure(_, _, _, _, let failures, let type) = read else {
            Issue.record("\(read)")
            return
        }
        #expect(failures.count == 1)
        #expect(type == .batchLog)
    }

    @Test func version5NamesEveryReplicaAndItsReason() {
        let error = CQLError.readFailure(
            message: "B", consistency: .one, received: 0, required: 1, failures: [Self.failures[0]],
            isDataPresent: true)
        let bytes = Self.encoded(error, .v5)
        let known: [UInt8] = [
            0, 0, 0x13, 0, 0, 1, 0x42, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 4, 127, 0, 0, 1, 0, 2, 1,
        ]
        #expect(bytes == known)
    }

    @Test func version3IsToldTheNearestThingItKnows() throws {
        var codes: [Int32] = []
        for error in Self.all { codes.append(try Self.decoded(Self.encoded(error, .v3), .v3).code) }
        let known: [Int32] = [
            0x0000, 0x000A, 0x0100, 0x1000, 0x1001, 0x1002, 0x1003, 0x1100, 0x1200, 0x1200, 0x2200, 0x1100, 0x2200,
            0x1100, 0x2000, 0x2100, 0x2200, 0x2300, 0x2400, 0x2400, 0x2500,
        ]
        #expect(codes == known)
    }

    @Test func anUncertainTransactionIsAWriteTimeoutBelowVersion5() throws {
        let error = CQLError.casWriteUnknown(.serial, received: 1, required: 2)
        for version in [ProtocolVersion.v3, .v4] {
            let read = try Self.decoded(Self.encoded(error, version), version)
            guard case .writeTimeout(_, .serial, 1, 2, .compareAndSet, nil) = read else {
                Issue.record("\(read)")
                continue
            }
        }
    }

    @Test func aMessageThatIsTooLongIsCutBetweenTwoCharacters() throws {
        let long = String(repeating: "é", count: 40_000)
        let read = try Self.decoded(Self.encoded(.invalid(message: long), .v4), .v4)
        #expect(read.message == String(repeating: "é", count: 32_767))
    }

    @Test func unknownCodesAndReasonsAreNotFatal() throws {
        let unknown = try Self.decoded([0, 0, 0x99, 0, 0, 1, 0x41], .v4)
        #expect(unknown.code == 0)
        #expect(FailureReason(code: 999) == .unknown)
    }

    @Test func messagesReadAsInCassandra() {
        let failure = CQLError.writeFailure(.simple, .quorum, received: 1, required: 2, failures: Self.failures)
        #expect(
            failure.message == "Operation failed - received 1 responses and 2 failures: "
                + "TIMEOUT from /127.0.0.1, NODE_DOWN from /0.0.0.0")
        #expect(
            CQLError.unavailable(.localQuorum, required: 2, alive: 0).message
                == "Cannot achieve consistency level LOCAL_QUORUM")
        #expect(CQLError.unprepared(statementID: [0xAB, 1]).message.hasPrefix("Prepared query with ID ab01 not found"))
    }
}
