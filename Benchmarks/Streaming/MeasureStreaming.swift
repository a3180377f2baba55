import Cluster
import Coordination
import DataModel
import Environment
import Glibc
import Primitives
import Storage
import SystemHost

/// `martlet-stream MEBIBYTES FOLDER`: two nodes in one process, and a table that one fetches from the other over a socket
/// on the loopback interface: by whole files, and by rows. Beside it the same number of bytes through a plain socket.
///
/// One line of JSON for each.
@main
enum MeasureStreaming {
    static let table = UUID(high: 0x5757, low: 0x8000_0000_0000_0001)
    private static let valueByteCount = 1_000
    private static let rowsPerPartition = 16

    static func main() async {
        let arguments: [String] = CommandLine.arguments
        guard arguments.count == 3, let mebibytes = Int(arguments[1]), mebibytes > 0 else {
            _ = Terminal.write("usage: martlet-stream MEBIBYTES FOLDER\n", to: .error)
            exit(64)
        }
        do {
            try await run(byteCount: mebibytes << 20, folder: arguments[2])
        } catch {
            _ = Terminal.write("martlet-stream: \(error)\n", to: .error)
            exit(1)
        }
        exit(0)
    }

    private static func run(byteCount: Int, folder: String) async throws {
        let source = try await StreamingNode.start(1, folder: "\(folder)/source", wholeByteCount: 0)
        try await fill(source, byteCount)
        let held: Int = try await source.engine.statistics(of: table).diskByteCount
        let plain: Double = try await SocketCopy.run(byteCount: held, on: source.host)
        report("socket", held, seconds: plain, ratio: 1)
        for isWhole in [true, false] {
            let name: String = isWhole ? "files" : "rows"
            source.serve(wholeByteCount: isWhole ? 0 : .max)
            let target = try await StreamingNode.start(isWhole ? 2 : 3, folder: "\(folder)/\(name)", wholeByteCount: 0)
            source.meet(target)
            target.meet(source)
            let part = StreamReceiver.Part(tables: [table], ranges: [.wholeRing], sources: [source.member.id])
            let pull = StreamReceiver.Pull(
                id: UUID(high: 1, low: UInt64(name.utf8.count)), title: "Rebuild", parts: [part], includesPaxos: false)
            let start: UInt64 = target.host.time.monotonicNanoseconds
            try await target.receiver.pull(pull) { _, _ in }
            let seconds = Double(target.host.time.monotonicNanoseconds - start) / 1e9
            report(name, held, seconds: seconds, ratio: plain / seconds)
            await target.stop()
        }
        await source.stop()
    }

    private static func report(_ what: String, _ byteCount: Int, seconds: Double, ratio: Double) {
        let rate = Int(Double(byteCount) / seconds / 1_048_576)
        let hundredths = Int((ratio * 100).rounded())
        _ = Terminal.write(
            "{\"figure\":\"streaming\",\"kind\":\"\(what)\",\"bytes\":\(byteCount),\"mib_per_second\":\(rate),"
                + "\"percent_of_socket\":\(hundredths)}\n")
    }

    /// Rows of random bytes, which no compression makes smaller.
    private static func fill(_ node: StreamingNode, _ byteCount: Int) async throws {
        var generator = SeededGenerator(seed: 1)
        let partitionCount: Int = max(1, byteCount / (valueByteCount * rowsPerPartition))
        for partition in 0..<partitionCount {
            var writer = ByteWriter(capacity: 32 << 10)
            let key: [UInt8] = Array("partition \(partition)".utf8)
            var mutation = MutationWriter(
                table: table, token: Token(ofKey: key.span.bytes), key: key.span.bytes, to: &writer)
            mutation.beginRows(&writer)
            for row in 0..<rowsPerPartition {
                let value: [UInt8] = (0..<valueByteCount).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
                let clustering: [UInt8] = [0x40, UInt8(row)]
                let start: Int = mutation.beginRow(clustering: clustering.span.bytes, to: &writer)
                var body = RowWriter(marker: RowMarker(timestamp: 1), baseTimestamp: 1, deletion: .none, to: &writer)
                body.live(column: 1, timestamp: 1, value: value.span.bytes, to: &writer)
                body.finish(&writer)
                mutation.endBody(start, &writer)
            }
            mutation.beginRanges(&writer)
            mutation.finish(&writer)
            try await node.apply(writer.array())
        }
        try await node.engine.compact(table: table)
    }
}
