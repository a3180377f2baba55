import Environment
import Glibc
import MartletClient
import Primitives
import Server
import SystemHost
import Testing

/// A node in this process on the operating system: real files in a folder of its own, real sockets on a free port.
struct RealNode {
    let node: Node
    let host: Host

    static let settings: [String: String] = [
        "rpc_address": "127.0.0.1", "native_transport_port": "0", "memtable_heap_space": "8MiB",
        "commitlog_segment_size": "1MiB",
    ]

    /// Runs `body` with a node in `folder`, and stops the node.
    static func run(
        in folder: String, shards: Int = 2, settings: [String: String] = [:],
        _ body: (RealNode) async throws -> Void
    ) async throws {
        let system = OperatingSystem(loopCount: shards, diskThreadCount: 4)
        do {
            var configuration = NodeConfiguration()
            for (key, value) in Self.settings.merging(settings, uniquingKeysWith: { $1 }) {
                try configuration.set(key, value)
            }
            try configuration.set("data_file_directories", folder + "/data")
            try configuration.set("storage_port", "0")
            try configuration.set("admin_port", "0")
            let node = try await Node.start(configuration, on: system.host)
            do {
                try await body(RealNode(node: node, host: system.host))
            } catch {
                await node.stop()
                throw error
            }
            await node.stop()
        } catch {
            await system.shutdown()
            throw error
        }
        await system.shutdown()
    }

    /// A connection whose loop is one of the node's, as a client in the same process has it.
    func connect(loop: Int = 0, options: ConnectionOptions = ConnectionOptions()) async throws -> CQLConnection {
        try await CQLConnection.connect(
            to: node.clientAddress, on: host.loops[loop], network: host.network, options: options)
    }
}

struct NoTemporaryFolder: Error {}

/// Runs `body` with an empty folder, which is gone afterwards.
func withFolder(_ body: (String) async throws -> Void) async throws {
    var template: [CChar] = Array("/tmp/martlet-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw NoTemporaryFolder() }
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let result: Result<Void, any Error>
    do {
        result = .success(try await body(folder))
    } catch { result = .failure(error) }
    removeEverything(folder)
    try result.get()
}

private func removeEverything(_ path: String) {
    guard let directory = opendir(path) else {
        unlink(path)
        return
    }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name: String = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != ".", name != ".." { names.append(name) }
    }
    closedir(directory)
    for name in names { removeEverything("\(path)/\(name)") }
    rmdir(path)
}
