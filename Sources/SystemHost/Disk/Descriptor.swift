import Glibc
import Synchronization

/// A file descriptor that several threads use: closed when it was given up and the last use has ended, so that a late
/// use never meets a descriptor that means another file by then.
final class Descriptor: Sendable {
    let number: Int32
    /// Bit 0: given up; bit 1: closed; the rest counts uses.
    private let state = Atomic<UInt64>(0)

    init(number: Int32) {
        self.number = number
    }

    deinit {
        if state.load(ordering: .relaxed) & 2 == 0 { Glibc.close(number) }
    }

    /// Begins a use; false when the descriptor was given up. To be followed by `endUse` when true.
    func beginUse() -> Bool {
        let before: UInt64 = state.wrappingAdd(4, ordering: .acquiring).oldValue
        if before & 1 == 0 { return true }
        endUse()
        return false
    }

    func endUse() {
        let after: UInt64 = state.wrappingSubtract(4, ordering: .acquiringAndReleasing).newValue
        if after == 1 { closeOnce() }
    }

    /// Gives the descriptor up.
    func close() {
        let after: UInt64 = state.bitwiseOr(1, ordering: .acquiringAndReleasing).newValue
        if after == 1 { closeOnce() }
    }

    var isGivenUp: Bool { state.load(ordering: .relaxed) & 1 != 0 }

    private func closeOnce() {
        let exchange = state.compareExchange(expected: 1, desired: 3, ordering: .acquiringAndReleasing)
        if exchange.exchanged { Glibc.close(number) }
    }
}
