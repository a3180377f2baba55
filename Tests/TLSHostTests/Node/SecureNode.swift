import Environment
import Glibc
import MartletClient
import Server
import SystemHost
import TLSHost

/// A node in this process with TLS: real files in a folder of its own, real sockets on free ports.
struct SecureNode {
    let node: Node
    let host: Host

    static let encryption: [String: String] = [
        "client_encryption_options.enabled": "true",
        "client_encryption_options.certificate": Certificates.path("server.pem"),
        "client_encryption_options.key": Certificates.path("server.key"),
    ]

    static func start(
        in folder: String, _ settings: [String: String], on host: Host
    ) async throws -> Node {
        var configuration = NodeConfiguration()
        let usual: [String: String] = [
            "rpc_address": "127.0.0.1", "native_transport_port": "0", "storage_port": "0", "admin_port": "0",
            "memtable_heap_space": "8MiB", "commitlog_segment_size": "1MiB", "data_file_directories": folder + "/data",
        ]
        for (key, value) in usual.merging(settings, uniquingKeysWith: { $1 }) { try configuration.set(key, value) }
        return try await Node.start(configuration, on: host)
    }

    /// Runs `body` with a node, and stops the node.
    static func run(
        _ settings: [String: String], shards: Int = 2, _ body: (SecureNode) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            try await withSystem(loopCount: shards) { host in
                let node: Node = try await start(in: folder, settings, on: host)
                do {
                    try await body(SecureNode(node: node, host: host))
                } catch {
                    await node.stop()
                    throw error
                }
                await node.stop()
            }
        }
    }

    /// Why a node with these settings does not start.
    static func refusal(_ settings: [String: String]) async throws -> String {
        let words = Words()
        try await withFolder { folder in
            try await withSystem { host in
                do {
                    let node: Node = try await start(in: folder, settings, on: host)
                    await node.stop()
                } catch let error as ConfigurationError {
                    words.text = error.description
                }
            }
        }
        return words.text
    }

    /// `Sendable` is unchecked because it is used by one task.
    private final class Words: @unchecked Sendable {
        var text = "It starts."
    }

    func connect(_ security: ClientSecurity?) async throws -> CQLConnection {
        var options = ConnectionOptions()
        if let security { options.security = try await host.network.prepare(security) }
        return try await CQLConnection.connect(
            to: node.clientAddress, on: host.loops[0], network: host.network, options: options)
    }
}

struct NoTemporaryFolder: Error {}

/// Runs `body` with a folder, which is gone afterwards.
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
