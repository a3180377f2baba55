import Environment
import Testing

/// One promise of the `Environment` protocols, to be kept by every host.
struct Rule: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Is given a host with at least two loops and an empty folder.
    let check: @Sendable (Host, String) async throws -> Void

    init(_ sentence: String, _ check: @escaping @Sendable (Host, String) async throws -> Void) {
        self.testDescription = sentence
        self.check = check
    }
}

/// Everything that both hosts promise.
let allRules: [Rule] = diskRules + logFileRules + loopRules + timeRules + networkRules + streamRules

/// Runs `body` on a loop and returns what it returns.
func on<Value: Sendable>(_ loop: any Loop, _ body: @escaping @Sendable () -> Value) async -> Value {
    await withUnsafeContinuation { continuation in
        loop.execute { continuation.resume(returning: body()) }
    }
}

/// Expects a disk operation to fail with `wanted`.
func expectFailure(
    _ wanted: DiskError, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws(DiskError) -> Void
) async {
    do {
        try await body()
        Issue.record("expected \(wanted)", sourceLocation: sourceLocation)
    } catch {
        #expect(error == wanted, sourceLocation: sourceLocation)
    }
}
