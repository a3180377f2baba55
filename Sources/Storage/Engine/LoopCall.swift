import Environment

/// Runs `async` work on a loop and hands its outcome to whoever waits, on whatever loop they are.
///
/// `Sendable` is unchecked because the work writes the outcome before it ends, and it is read after the end was
/// awaited.
final class LoopCall<Value>: @unchecked Sendable {
    private var outcome: Result<Value, StorageError>?
    private var work: (any BackgroundWork)?

    /// Starts `body` on `loop`.
    init(
        _ name: StaticString, on loop: any Loop, of host: Host,
        _ body: @escaping @Sendable () async throws(StorageError) -> Value
    ) {
        work = host.background.run(name, on: loop) { [self] in
            do throws(StorageError) {
                outcome = .success(try await body())
            } catch {
                outcome = .failure(error)
            }
        }
    }

    /// Waits for the work to end.
    func value() async throws(StorageError) -> Value {
        await work?.wait()
        guard let outcome else { throw .closed }
        return try outcome.get()
    }
}
