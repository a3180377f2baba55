import Environment
import Glibc
import Server
import SystemHost

/// `martlet-measure read|write COUNT SYNC FOLDER [BURST]`: drives one connection's session inside the process.
///
/// Bytes of requests go in and bytes of answers come out, without sockets, so that a counter of instructions sees the
/// node's own work and nothing of the kernel's. Run for two counts under callgrind: the difference belongs to the
/// requests alone. `main` is synchronous because callgrind follows such a program more reliably.
@main
enum Measure {
    static func main() {
        guard let order = MeasureOrder(CommandLine.arguments) else {
            _ = Terminal.write("usage: martlet-measure read|write COUNT periodic|batch|group FOLDER [BURST]\n", to: .error)
            exit(64)
        }
        let system = OperatingSystem(loopCount: 1, diskThreadCount: 4)
        let host: Host = system.host
        let end = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        sem_init(end, 0, 0)
        let place = UInt(bitPattern: end)
        host.background.run("measure", on: host.loops[0]) {
            do {
                let nanoseconds: UInt64 = try await measure(order, host)
                let each: UInt64 = nanoseconds / UInt64(max(1, order.count))
                _ = Terminal.write("\(order.count) \(order.isRead ? "reads" : "writes"), \(each) ns each\n")
            } catch {
                _ = Terminal.write("martlet-measure: \(error)\n", to: .error)
                exit(1)
            }
            if let end = UnsafeMutablePointer<sem_t>(bitPattern: place) { sem_post(end) }
        }
        while sem_wait(end) != 0 {}
        // The rest would only add to what is counted.
        exit(0)
    }

    private static func measure(_ order: MeasureOrder, _ host: Host) async throws -> UInt64 {
        let network = CapturedNetwork(host.network)
        let world = Host(
            time: host.time, entropy: host.entropy, disk: host.disk, network: network, background: host.background,
            loops: host.loops)
        var configuration = NodeConfiguration()
        try configuration.set("data_file_directories", order.folder)
        try configuration.set("storage_port", "0")
        try configuration.set("admin_port", "-1")
        try configuration.set("commitlog_sync", order.sync)
        let node = try await Node.start(configuration, on: world)
        let client = try MeasureClient(loop: host.loops[0], handler: network.handler(host.loops[0]))
        let nanoseconds: UInt64 = try await client.run(order, time: host.time)
        return withExtendedLifetime(node) { nanoseconds }
    }
}

/// What is to be measured.
struct MeasureOrder: Sendable {
    let isRead: Bool
    let count: Int
    let sync: String
    let folder: String
    /// Requests that are in one read of the connection.
    let burst: Int

    init?(_ arguments: [String]) {
        guard arguments.count >= 5, ["read", "write"].contains(arguments[1]), let count = Int(arguments[2]), count > 0,
            ["periodic", "batch", "group"].contains(arguments[3])
        else { return nil }
        self.isRead = arguments[1] == "read"
        self.count = count
        self.sync = arguments[3]
        self.folder = arguments[4]
        self.burst = arguments.count > 5 ? max(1, min(1_024, Int(arguments[5]) ?? 32)) : 32
    }
}
