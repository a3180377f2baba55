import Cluster
import Primitives
import Testing

/// Who is taken for dead, and when.
@Suite struct PeerWatchTests {
    private let b = NodeID(UUID(high: 2, low: 0))
    private let c = NodeID(UUID(high: 3, low: 0))
    private let second: UInt64 = 1_000_000_000

    private func beat(_ milliseconds: UInt64, generation: Int32 = 1) -> Heartbeat {
        Heartbeat(generation: generation, milliseconds: milliseconds)
    }

    /// A watch that has had an answer of each second from `b`, up to second `until`.
    private func watching(until last: UInt64) -> PeerWatch {
        var watch = PeerWatch()
        _ = watch.setPeers([b])
        for at in 0...last { _ = watch.answered(b, beat(at * 1_000), at: at * second + second) }
        return watch
    }

    @Test func aMemberIsUpOnceItHasAnsweredItself() {
        var watch = PeerWatch()
        #expect(watch.setPeers([c, b]) == [.ping(b), .ping(c)])
        #expect(watch.heard(b, beat(1), at: second) == [.ping(b)])
        #expect(!watch.isUp(b))
        #expect(watch.answered(b, beat(2), at: second) == [.markUp(b), .ping(c)])
        #expect(watch.isUp(b))
        #expect(watch.up == [b])
        #expect(watch.down == [c])
    }

    @Test func aSilentMemberIsDownWithinTenSecondsAndNotBeforeEight() {
        var watch = watching(until: 60)
        var downAt: UInt64?
        for half in 0..<40 as Range<UInt64> {
            let now = 61 * second + half * second / 2
            if watch.tick(at: now).contains(.markDown(b)) { downAt = now - 61 * second }
        }
        #expect(downAt.map { $0 > 8 * second && $0 <= 10 * second } == true)
        #expect(!watch.isUp(b))
    }

    @Test func oldNewsThatComeLateDoNotMakeADeadMemberLookYounger() {
        var watch = watching(until: 60)
        // Its last heartbeats arrive over others, up to eight seconds late.
        var downAt: UInt64?
        for half in 0..<40 as Range<UInt64> {
            let now = 61 * second + half * second / 2
            if half <= 16 { _ = watch.heard(b, beat(60_000 + half * 10), at: now) }
            if watch.tick(at: now).contains(.markDown(b)) { downAt = downAt ?? now - 61 * second }
        }
        #expect(downAt.map { $0 <= 10 * second } == true)
    }

    @Test func theThresholdMovesTheLimit() {
        #expect(PeerWatch(phiThreshold: 8).silenceLimitNanoseconds == 9 * second)
        #expect(PeerWatch(phiThreshold: 16).silenceLimitNanoseconds == 18 * second)
        #expect(PeerWatch(phiThreshold: -1).silenceLimitNanoseconds > second)
        #expect(PeerWatch(phiThreshold: .infinity).silenceLimitNanoseconds > second)
    }

    @Test func aSilentMemberIsAskedBeforeItIsTakenForDead() {
        var watch = watching(until: 60)
        var pings = 0
        for half in 0..<17 as Range<UInt64> {
            let actions = watch.tick(at: 61 * second + half * second / 2)
            for action in actions {
                #expect(action == .ping(b))
                pings += 1
                _ = watch.unanswered(b)
            }
        }
        #expect(pings >= 6)
        #expect(watch.isUp(b))
        #expect(watch.answered(b, beat(69_500), at: 69 * second + second / 2 + second).isEmpty)
        #expect(watch.tick(at: 71 * second).isEmpty)
    }

    @Test func afterAPauseOfOurOwnNobodyIsBlamed() {
        var watch = watching(until: 60)
        _ = watch.tick(at: 61 * second)
        #expect(!watch.tick(at: 90 * second).contains(.markDown(b)))
        #expect(watch.tick(at: 95 * second + second).contains(.markDown(b)) == false)
        for half in 1...12 as ClosedRange<UInt64> { _ = watch.tick(at: 96 * second + half * second / 2) }
        #expect(!watch.isUp(b))
    }

    @Test func aGoodbyeIsBelievedAtOnceAndOldNewsDoNotUndoIt() {
        var watch = watching(until: 10)
        #expect(watch.stopped(b, beat(10_500)) == [.markDown(b)])
        #expect(watch.stopped(b, beat(10_500)).isEmpty)
        #expect(watch.heard(b, beat(10_400), at: 12 * second).isEmpty)
        #expect(watch.answered(b, beat(10_500), at: 12 * second).isEmpty)
        #expect(!watch.isUp(b))
        #expect(watch.heard(b, beat(10_501), at: 13 * second) == [.ping(b)])
        #expect(watch.answered(b, beat(10_502), at: 13 * second) == [.markUp(b)])
    }

    @Test func aGoodbyeOfAFormerLifeIsPassedOver() {
        var watch = watching(until: 10)
        #expect(watch.heard(b, beat(5, generation: 2), at: 12 * second) == [.markDown(b), .ping(b)])
        #expect(watch.answered(b, beat(6, generation: 2), at: 12 * second) == [.markUp(b)])
        #expect(watch.stopped(b, beat(99_000)).isEmpty)
        #expect(watch.isUp(b))
    }

    @Test func aBrokenConnectionConvictsAfterSeveralSilentQuestions() {
        var watch = watching(until: 10)
        #expect(watch.connectionBroke(b) == [.ping(b)])
        #expect(watch.unanswered(b).isEmpty)
        #expect(watch.tick(at: 11 * second + second / 2) == [.ping(b)])
        #expect(watch.unanswered(b).isEmpty)
        #expect(watch.tick(at: 12 * second) == [.ping(b)])
        #expect(watch.unanswered(b) == [.markDown(b)])
    }

    @Test func oneAnswerClearsABrokenConnection() {
        var watch = watching(until: 10)
        _ = watch.connectionBroke(b)
        _ = watch.unanswered(b)
        #expect(watch.answered(b, beat(10_800), at: 12 * second).isEmpty)
        #expect(watch.tick(at: 12 * second).isEmpty)
    }

    @Test func questionsToOneMemberAreBounded() {
        var watch = watching(until: 10)
        _ = watch.connectionBroke(b)
        var pings = 1
        for half in 1...4 as ClosedRange<UInt64> { pings += watch.tick(at: 11 * second + half * second / 2).count }
        #expect(pings == 3)
    }

    @Test func whoIsNoMemberAnyMoreIsDown() {
        var watch = watching(until: 10)
        #expect(watch.setPeers([c]) == [.ping(c), .markDown(b)])
        #expect(watch.heard(b, beat(99_000), at: 20 * second).isEmpty)
        #expect(watch.answered(b, beat(99_000), at: 20 * second).isEmpty)
        #expect(watch.stopped(b, beat(99_000)).isEmpty)
        #expect(watch.unanswered(b).isEmpty)
        #expect(watch.connectionBroke(b).isEmpty)
    }
}

/// The arithmetic of suspicion.
@Suite struct PhiAccrualDetectorTests {
    private let second: UInt64 = 1_000_000_000

    @Test func phiGrowsWithTheSilence() {
        var detector = PhiAccrualDetector(beat: 0, at: second)
        for at in 2...1_500 as ClosedRange<UInt64> { detector.arrived(beat: at * 1_000, at: at * second) }
        #expect(detector.meanIntervalNanoseconds == 1e9)
        let last = 1_500 * second
        #expect(detector.phi(at: last) == 0)
        #expect(detector.phi(at: last - 1) == 0)
        #expect(abs(detector.phi(at: last + 10 * second) - 4.342_944_8) < 1e-6)
        #expect(detector.phi(at: last + 18 * second) < 8)
        #expect(detector.phi(at: last + 19 * second) > 8)
    }

    @Test func frequentHeartbeatsDoNotMakeImpatient() {
        var detector = PhiAccrualDetector(beat: 0, at: 0)
        for at in 1...1_000 as ClosedRange<UInt64> { detector.arrived(beat: at * 10, at: at * second / 100) }
        #expect(detector.meanIntervalNanoseconds < 2e7)
        #expect(detector.phi(at: 19 * second) < 8)
        #expect(detector.phi(at: 20 * second) > 8)
    }

    @Test func longIntervalsAreNotRemembered() {
        var detector = PhiAccrualDetector(beat: 0, at: 0)
        #expect(detector.meanIntervalNanoseconds == 2e9)
        detector.arrived(beat: 9_000, at: 9 * second)
        #expect(detector.meanIntervalNanoseconds == 2e9)
        detector.arrived(beat: 10_000, at: 10 * second)
        #expect(detector.meanIntervalNanoseconds == 1.5e9)
        detector.arrived(beat: 10_000, at: 11 * second)
        #expect(detector.arrivedAt == 10 * second)
    }

    @Test func theAgeCountsFromWhenAHeartbeatWasMade() {
        var detector = PhiAccrualDetector(beat: 5_000, at: 100 * second)
        #expect(detector.ageNanoseconds(at: 100 * second) == 0)
        #expect(detector.ageNanoseconds(at: 104 * second) == 4 * second)
        detector.arrived(beat: 6_000, at: 104 * second)
        #expect(detector.ageNanoseconds(at: 104 * second) == 3 * second)
    }

    @Test func aDifferenceOfClocksIsForgottenAfterAMinute() {
        var detector = PhiAccrualDetector(beat: 1_000, at: second)
        // From now on everything takes half a second longer.
        for at in 2...100 as ClosedRange<UInt64> {
            detector.arrived(beat: at * 1_000, at: at * second + second / 2)
        }
        #expect(detector.ageNanoseconds(at: 100 * second + second / 2) == 0)
    }
}

/// The table that every loop reads.
@Suite struct LivenessTests {
    private func node(_ number: Int) -> NodeID { NodeID(UUID(high: UInt64(number), low: UInt64(number) &* 31)) }

    @Test func theLocalNodeIsAlive() {
        let liveness = Liveness(local: node(1), alive: [node(2)])
        #expect(liveness.isAlive(node(1)))
        #expect(liveness.isAlive(node(2)))
        #expect(!liveness.isAlive(node(3)))
        #expect(liveness.alive == [node(1), node(2)])
    }

    @Test func theTableGrows() {
        let liveness = Liveness(local: node(0))
        for number in 1...5_000 { liveness.set(node(number), alive: true) }
        for number in stride(from: 1, through: 5_000, by: 3) { liveness.set(node(number), alive: false) }
        for number in 1...5_000 { #expect(liveness.isAlive(node(number)) == (number % 3 != 1)) }
        #expect(liveness.alive.count == 5_001 - 1_667)
    }

    @Test func listenersAreToldOfChangesOnly() {
        let liveness = Liveness(local: node(0))
        let told = Told()
        liveness.listen { told.changes.append("\($0.uuid.high) \($1)") }
        liveness.set(node(5), alive: false)
        liveness.set(node(5), alive: true)
        liveness.set(node(5), alive: true)
        liveness.set(node(6), alive: true)
        liveness.set(node(5), alive: false)
        #expect(told.changes == ["5 true", "6 true", "5 false"])
    }

    private final class Told: @unchecked Sendable {
        var changes: [String] = []
    }
}
