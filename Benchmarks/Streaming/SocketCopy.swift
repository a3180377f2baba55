import Environment
import Primitives
import SystemHost

/// Sends bytes from one loop to another over a socket on the loopback interface, by the network code of a node and with
/// nothing above it.
enum SocketCopy {
    private static let pieceByteCount = 256 << 10

    /// - Returns: seconds until the last byte had come.
    static func run(byteCount: Int, on host: Host) async throws -> Double {
        let other = OperatingSystem(loopCount: 1, diskThreadCount: 1)
        let (ends, continuation) = AsyncStream<Void>.makeStream()
        let listener = try await other.host.network.listen(at: .loopback(port: 0), on: other.host.loops) { _ in
            Sink(byteCount: byteCount) { continuation.finish() }
        }
        let start: UInt64 = host.time.monotonicNanoseconds
        _ = try await host.network.connect(to: listener.address, on: host.loops[0], timeout: .seconds(5)) {
            Origin(byteCount: byteCount)
        }
        for await _ in ends {}
        let seconds = Double(host.time.monotonicNanoseconds - start) / 1e9
        await listener.close()
        await other.shutdown()
        return seconds
    }

    private final class Origin: ConnectionHandler {
        private var left: Int
        private var writer = ByteWriter(capacity: SocketCopy.pieceByteCount)
        private var connection: (any Connection)?

        init(byteCount: Int) {
            self.left = byteCount
        }

        func opened(_ connection: any Connection) {
            self.connection = connection
            send()
        }

        /// Sends as long as the system takes it.
        private func send() {
            guard let connection else { return }
            while left > 0, connection.unsentByteCount == 0 {
                let count: Int = min(left, SocketCopy.pieceByteCount)
                writer.writeZeros(count)
                left -= count
                connection.send(&writer)
            }
        }

        func received(_ bytes: UnsafeRawBufferPointer) -> Int { bytes.count }
        func receiveCompleted() {}
        func drained() { send() }
        func closed(_ error: NetworkError?) { connection = nil }
    }

    private final class Sink: ConnectionHandler {
        private var left: Int
        private let end: () -> Void
        private var connection: (any Connection)?

        init(byteCount: Int, _ end: @escaping () -> Void) {
            self.left = byteCount
            self.end = end
        }

        func opened(_ connection: any Connection) { self.connection = connection }

        func received(_ bytes: UnsafeRawBufferPointer) -> Int {
            left -= bytes.count
            if left <= 0 { end() }
            return bytes.count
        }

        func receiveCompleted() {}
        func drained() {}
        func closed(_ error: NetworkError?) { connection = nil }
    }
}
