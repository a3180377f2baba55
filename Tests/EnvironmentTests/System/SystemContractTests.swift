import Environment
import Glibc
import SystemHost
import Testing

@Suite struct SystemContractTests {
    @Test(arguments: allRules) func theOperatingSystemKeepsThePromise(rule: Rule) async throws {
        try await withOperatingSystem { host, folder in try await rule.check(host, folder) }
    }
}

/// Runs `body` with a host of two loops and an empty folder, and takes both away afterwards.
func withOperatingSystem(_ body: (Host, String) async throws -> Void) async throws {
    let system = OperatingSystem(loopCount: 2, diskThreadCount: 2)
    let folder: String = try makeTemporaryFolder()
    do {
        try await body(system.host, folder)
    } catch {
        try await removeEverything(folder, system.host.disk)
        await system.shutdown()
        throw error
    }
    try await removeEverything(folder, system.host.disk)
    await system.shutdown()
}

struct NoTemporaryFolder: Error {}

func makeTemporaryFolder() throws -> String {
    var template: [CChar] = Array("/tmp/martlet-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw NoTemporaryFolder() }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func removeEverything(_ path: String, _ disk: any Disk) async throws {
    if try await disk.kind(of: path) == .directory {
        for name in try await disk.list(path) { try await removeEverything("\(path)/\(name)", disk) }
    }
    try await disk.remove(path)
}
