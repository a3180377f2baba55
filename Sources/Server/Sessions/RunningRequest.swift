/// A request of the general path from when its bytes came until it is answered.
///
/// Confined to the loop of its session; `Sendable` is unchecked for that reason.
final class RunningRequest: @unchecked Sendable {
    let number: UInt64
    let arrivedNanoseconds: UInt64
    /// Nil while it waits for its turn.
    var beganNanoseconds: UInt64?
    /// What the client wants; empty before that is read.
    var text = ""

    init(_ number: UInt64, arrivedNanoseconds: UInt64) {
        self.number = number
        self.arrivedNanoseconds = arrivedNanoseconds
    }
}

/// A request that is being worked on, as `system_views.queries` shows it.
struct RequestInProgress: Sendable, Hashable {
    let number: UInt64
    let queuedMicroseconds: Int
    let runningMicroseconds: Int
    let text: String

    private static let textByteCount = 4_096

    init(_ request: RunningRequest, now: UInt64) {
        let began: UInt64 = request.beganNanoseconds ?? now
        number = request.number
        queuedMicroseconds = Int(clamping: (began &- request.arrivedNanoseconds) / 1_000)
        runningMicroseconds = Int(clamping: (now &- began) / 1_000)
        let whole: String = request.text
        let isLong: Bool = whole.utf8.count > RequestInProgress.textByteCount
        text = isLong ? String(decoding: whole.utf8.prefix(RequestInProgress.textByteCount), as: UTF8.self) : whole
    }
}
