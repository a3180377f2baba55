import CQL
import Environment
import SystemHost

/// `martlet-floor [PORT]`: a server that does nothing but framing, on the network code of a node.
///
/// It answers EXECUTE with a fixed result. What a node costs above it is what a database costs; nothing that a node does
/// can make it cheaper than this.
@main
enum FloorServer {
    static func main() async throws {
        let port: UInt16 = CommandLine.arguments.dropFirst().first.flatMap { UInt16($0) } ?? 9142
        let system = OperatingSystem(loopCount: 1, diskThreadCount: 1)
        let (ends, continuation) = AsyncStream<Void>.makeStream()
        ProcessSignals.onTermination { _ in continuation.yield() }
        let listener = try await system.host.network.listen(
            at: .loopback(port: port), on: system.host.loops, makeHandler: { _ in FloorSession() })
        _ = Terminal.write("listening at \(listener.address)\n")
        for await _ in ends { break }
        await listener.close()
        await system.shutdown()
    }
}
