package import Environment

/// Runs `async` work on a loop and hands its outcome to whoever waits, on whatever loop they are.
///
/// `Sendable` is unchecked because the work writes the outcome before it ends, and it is read after the end was
/// awaited.
package final class LoopWork<Value: Sendable>: @unchecked Sendable {
    private var outcome: Result<Value, any Error>?
    private var work: (any BackgroundWork)?

    /// Starts `body` on `loop`.
    package init(
        _ name: StaticString, on loop: any Loop, of host: Host, _ body: @escaping @Sendable () async throws -> Value
    ) {
        work = host.background.run(name, on: loop) { [self] in
            do {
                outcome = .success(try await body())
            } catch {
                outcome = .failure(error)
            }
        }
    }

    /// Waits for the work to end.
    ///
    /// - Throws: what the work threw; `CancellationError` when it was not run to its end.
    package func value() async throws -> Value {
        await work?.wait()
        guard let outcome else { throw CancellationError() }
        return try outcome.get()
    }
}
