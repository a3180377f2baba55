/// The stream numbers of a connection: which are free, and which wait for an answer.
///
/// Hot: one `take` and one `release` for every request; nothing is allocated once as many streams have been in use as
/// ever are.
struct StreamPool {
    /// Streams are the non-negative numbers of 16 bits.
    static let largestLimit: Int = 32_768

    let limit: Int
    /// Streams that were used and are free again; the last freed is taken first, since its slots are warm.
    private var free: [Int16] = []
    /// Whether a stream waits for an answer, by its number; as long as numbers have been given out.
    private var isWaiting: [Bool] = []
    private(set) var waitingCount = 0

    init(limit: Int) {
        self.limit = max(1, min(limit, StreamPool.largestLimit))
    }

    /// Takes a free stream; nil when all wait for answers.
    mutating func take() -> Int16? {
        if let stream = free.popLast() {
            isWaiting[Int(stream)] = true
            waitingCount &+= 1
            return stream
        }
        guard isWaiting.count < limit else { return nil }
        let stream = Int16(truncatingIfNeeded: isWaiting.count)
        isWaiting.append(true)
        waitingCount &+= 1
        return stream
    }

    /// Frees the stream of an answer; false when nothing was asked on it.
    mutating func release(_ stream: Int16) -> Bool {
        let index = Int(stream)
        guard index >= 0, index < isWaiting.count, isWaiting[index] else { return false }
        isWaiting[index] = false
        free.append(stream)
        waitingCount &-= 1
        return true
    }
}
