/// Lets one piece of `async` work at a time through, in the order in which they came.
///
/// Confined to one loop, so it needs no lock: between two suspensions nothing else runs there.
///
/// `Sendable` is unchecked because every use is on the loop of the shard that owns the gate.
final class SerialGate: @unchecked Sendable {
    private var isTaken = false
    private var waiting: [UnsafeContinuation<Void, Never>] = []

    /// Waits for everybody who came before; `leave` must follow.
    func enter() async {
        guard isTaken else {
            isTaken = true
            return
        }
        await withUnsafeContinuation { waiting.append($0) }
    }

    func leave() {
        if waiting.isEmpty {
            isTaken = false
        } else {
            waiting.removeFirst().resume()
        }
    }
}
