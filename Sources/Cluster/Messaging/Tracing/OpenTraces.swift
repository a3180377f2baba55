/// The traces of requests of other nodes that have not been answered yet, by number.
///
/// The places of answers are plain numbers and have no room for more. What is never answered is forgotten some time after
/// its deadline. Confined to a loop.
struct OpenTraces {
    private struct Entry {
        let trace: RequestTrace
        let deadlineNanoseconds: UInt64
    }

    private var entries: [UInt16: Entry] = [:]
    private var last: UInt16 = 0

    /// Further requests are carried out without being traced.
    static let limit = 1_024

    /// Keeps a trace; returns its number, or 0 when there are too many.
    mutating func insert(_ trace: RequestTrace, until deadline: UInt64, now: UInt64) -> UInt16 {
        if entries.count >= OpenTraces.limit { entries = entries.filter { $0.value.deadlineNanoseconds > now } }
        guard entries.count < OpenTraces.limit else { return 0 }
        repeat { last = last == .max ? 1 : last + 1 } while entries[last] != nil
        entries[last] = Entry(trace: trace, deadlineNanoseconds: deadline)
        return last
    }

    func find(_ number: UInt16) -> RequestTrace? { entries[number]?.trace }

    mutating func take(_ number: UInt16) -> RequestTrace? { entries.removeValue(forKey: number)?.trace }
}
