/// Says how likely it is that a node is gone, from the heartbeats of it that came (Hayashibara et al., "The φ accrual
/// failure detector").
///
/// It knows two things. *Phi* compares the silence with the usual interval between heartbeats; 8 means that a silence
/// this long comes once in 10^8 times. The *age* is how long ago the newest known heartbeat was made: a heartbeat says
/// when it was made on its maker's clock, and the quickest of the last minute show how the two clocks differ. News that
/// took several hops thus do not make a dead node look younger, and the age alone bounds how long a dead node can be
/// taken for a live one, however large the cluster is.
///
/// A pure value: it reads no clock. Times are nanoseconds of the caller's monotonic clock.
package struct PhiAccrualDetector: Sendable {
    /// How many intervals are remembered.
    package static let windowCount = 1_000
    /// What is taken for the first interval; longer ones are no measure of a live node, and are not remembered.
    package static let initialIntervalNanoseconds: UInt64 = 2_000_000_000
    /// Heartbeats may come quicker than that, straight and through others; that is no reason to become impatient sooner.
    private static let shortestMeanNanoseconds: Double = 500_000_000
    /// 1 / ln 10: makes powers of ten of powers of e.
    package static let scale: Double = 0.434_294_481_903_251_8
    /// How long a difference between two clocks is believed.
    private static let periodNanoseconds: UInt64 = 30_000_000_000

    private var intervals: [UInt64] = [PhiAccrualDetector.initialIntervalNanoseconds]
    private var nextIndex = 0
    private var sum: UInt64 = PhiAccrualDetector.initialIntervalNanoseconds
    /// When the last heartbeat came.
    package private(set) var arrivedAt: UInt64
    /// The newest heartbeat, in milliseconds of its maker's clock.
    package private(set) var newestBeat: UInt64
    /// The least difference between our clock and the maker's, of this period and of the one before.
    private var difference: Int64
    private var formerDifference: Int64
    private var periodStart: UInt64

    /// Starts with a first heartbeat.
    package init(beat: UInt64, at now: UInt64) {
        self.arrivedAt = now
        self.newestBeat = beat
        self.difference = PhiAccrualDetector.difference(beat, now)
        self.formerDifference = difference
        self.periodStart = now
    }

    /// A heartbeat came. One that is not newer than the newest says nothing and is passed over.
    package mutating func arrived(beat: UInt64, at now: UInt64) {
        guard beat > newestBeat, now >= arrivedAt else { return }
        let interval: UInt64 = now - arrivedAt
        if interval <= PhiAccrualDetector.initialIntervalNanoseconds { remember(interval) }
        arrivedAt = now
        newestBeat = beat
        if now - periodStart >= PhiAccrualDetector.periodNanoseconds {
            periodStart = now
            formerDifference = difference
            difference = PhiAccrualDetector.difference(beat, now)
        } else {
            difference = min(difference, PhiAccrualDetector.difference(beat, now))
        }
    }

    /// The mean of the remembered intervals.
    package var meanIntervalNanoseconds: Double {
        Double(sum) / Double(intervals.count)
    }

    /// How unlikely the silence is: its probability is 10 to the power of minus this.
    package func phi(at now: UInt64) -> Double {
        guard now > arrivedAt else { return 0 }
        return Double(now - arrivedAt) / max(PhiAccrualDetector.shortestMeanNanoseconds, meanIntervalNanoseconds)
            * PhiAccrualDetector.scale
    }

    /// How long ago the newest known heartbeat was made.
    package func ageNanoseconds(at now: UInt64) -> UInt64 {
        let age: Int64 = PhiAccrualDetector.difference(newestBeat, now) &- min(difference, formerDifference)
        return age > 0 ? UInt64(age) : 0
    }

    private mutating func remember(_ interval: UInt64) {
        if intervals.count < PhiAccrualDetector.windowCount {
            intervals.append(interval)
            sum += interval
            return
        }
        sum = sum - intervals[nextIndex] + interval
        intervals[nextIndex] = interval
        nextIndex = (nextIndex + 1) % PhiAccrualDetector.windowCount
    }

    private static func difference(_ beat: UInt64, _ now: UInt64) -> Int64 {
        Int64(truncatingIfNeeded: now) &- Int64(truncatingIfNeeded: beat) &* 1_000_000
    }
}
