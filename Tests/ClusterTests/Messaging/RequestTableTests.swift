import Cluster
import Primitives
import Testing

/// The requests that wait for answers, without any network.
@Suite struct RequestTableTests {
    private final class Receiver: ReplyReceiver {
        func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) {}
        func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) {}
    }

    private let receiver = Receiver()
    private let second: UInt64 = 1_000_000_000

    private func table(limit: Int = 1_000, perLink: Int = 1_000) -> RequestTable {
        RequestTable(loopIndex: 3, limit: limit, limitPerLink: perLink)
    }

    @Test func anAnswerFindsItsRequestOnce() {
        let requests = table()
        let id = requests.add(receiver, tag: 42, link: 5, now: 0, deadline: second)
        #expect(RequestTable.loopIndex(of: id) == 3)
        #expect(requests.link(of: id) == 5 && requests.count == 1)
        let taken = requests.take(id)
        #expect(taken?.tag == 42 && taken?.link == 5 && taken?.receiver === receiver)
        #expect(requests.take(id) == nil && requests.link(of: id) == -1 && requests.count == 0)
    }

    @Test func aSlotThatIsUsedAgainHasAnotherID() {
        let requests = table()
        var seen: Set<UInt64> = []
        for tag in 0..<100 {
            let id = requests.add(receiver, tag: UInt64(tag), link: 0, now: 0, deadline: second)
            #expect(seen.insert(id).inserted && id & 0xFF_FFFF == 0)
            _ = requests.take(id)
        }
        for id in seen { #expect(requests.take(id) == nil) }
    }

    @Test func anIDOfAnotherLoopIsNobodys() {
        let requests = table()
        let id = requests.add(receiver, tag: 1, link: 0, now: 0, deadline: second)
        #expect(requests.take(id ^ 1 << 24) == nil)
        #expect(requests.take(0) == nil && requests.take(.max) == nil)
        #expect(requests.take(id) != nil)
    }

    @Test func thereIsALimitForAllAndOneForEachLink() {
        let requests = table(limit: 3, perLink: 2)
        let first = requests.add(receiver, tag: 1, link: 0, now: 0, deadline: second)
        #expect(requests.add(receiver, tag: 2, link: 0, now: 0, deadline: second) != 0)
        #expect(requests.add(receiver, tag: 3, link: 0, now: 0, deadline: second) == 0)
        #expect(requests.add(receiver, tag: 4, link: 1, now: 0, deadline: second) != 0)
        #expect(requests.add(receiver, tag: 5, link: 1, now: 0, deadline: second) == 0)
        _ = requests.take(first)
        #expect(requests.add(receiver, tag: 6, link: 1, now: 0, deadline: second) != 0)
        #expect(requests.count(of: 0) == 1 && requests.count(of: 1) == 2 && requests.count(of: 9) == 0)
    }

    @Test func aRequestEndsAfterItsDeadlineAndNotBefore() {
        let tick: UInt64 = 1 << RequestTable.tickShift
        for deadline in [0, 1, tick - 1, tick, tick + 1, second, 100 * second, 3_600 * second] {
            let requests = table()
            _ = requests.add(receiver, tag: 1, link: 0, now: 0, deadline: deadline)
            if deadline > 0 { #expect(requests.takeExpired(now: deadline - 1) == nil, "deadline \(deadline)") }
            #expect(requests.takeExpired(now: deadline + tick)?.tag == 1, "deadline \(deadline)")
            #expect(requests.count == 0 && requests.nextDeadlineNanoseconds == nil)
        }
    }

    @Test func theNextDeadlineIsNeverTooLate() {
        let requests = table()
        let start = 50 * second
        _ = requests.add(receiver, tag: 1, link: 0, now: start, deadline: start + 5 * second)
        let next = requests.nextDeadlineNanoseconds ?? .max
        #expect(next >= start + 5 * second && next < start + 5 * second + 20_000_000)
        _ = requests.add(receiver, tag: 2, link: 0, now: start, deadline: start + second)
        #expect((requests.nextDeadlineNanoseconds ?? .max) < start + second + 20_000_000)
    }

    @Test func theRequestsOfALinkCanBeTakenTogether() {
        let requests = table()
        for tag in 0..<10 {
            _ = requests.add(receiver, tag: UInt64(tag), link: Int32(tag % 2), now: 0, deadline: second)
        }
        var tags: [UInt64] = []
        while let taken = requests.takeAny(of: 1) { tags.append(taken.tag) }
        #expect(tags.sorted() == [1, 3, 5, 7, 9])
        #expect(requests.count == 5 && requests.takeAny(of: 7) == nil && requests.takeAny(of: -1) == nil)
    }

    @Test func aRequestCanGoOverAnotherLink() {
        let requests = table()
        let id = requests.add(receiver, tag: 1, link: 0, now: 0, deadline: second)
        requests.move(id, to: 4)
        #expect(requests.takeAny(of: 0) == nil)
        #expect(requests.takeAny(of: 4)?.tag == 1)
    }

    /// Against a plain list of what waits.
    @Test(arguments: 0..<8)
    func itAgreesWithAList(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let requests = table(limit: 200, perLink: 80)
        var model: [UInt64: (tag: UInt64, link: Int32, deadline: UInt64)] = [:]
        var now: UInt64 = second
        for step in 0..<2_000 {
            switch generator.below(8) {
            case 0...3:
                let link = Int32(generator.below(4))
                let deadline = now + UInt64(generator.below(30_000)) * 1_000_000
                let id = requests.add(receiver, tag: UInt64(step), link: link, now: now, deadline: deadline)
                let isFull = model.count >= 200 || model.values.filter { $0.link == link }.count >= 80
                #expect((id == 0) == isFull)
                if id != 0 { model[id] = (UInt64(step), link, deadline) }
            case 4, 5:
                let ids = model.keys.sorted()
                guard !ids.isEmpty else { continue }
                let id = ids[generator.below(ids.count)]
                #expect(requests.take(id)?.tag == model[id]?.tag)
                model[id] = nil
            case 6:
                now += UInt64(generator.below(2_000)) * 1_000_000
                while let taken = requests.takeExpired(now: now) {
                    let id = model.first { $0.value.tag == taken.tag }?.key ?? 0
                    #expect((model[id]?.deadline ?? .max) <= now)
                    model[id] = nil
                }
                let overdue = model.values.filter { $0.deadline + 10_000_000 < now }
                #expect(overdue.isEmpty, "seed \(seed) step \(step)")
            default:
                if generator.oneIn(20), let taken = requests.takeAny(of: 2) {
                    let id = model.first { $0.value.tag == taken.tag }?.key ?? 0
                    #expect(model[id]?.link == 2)
                    model[id] = nil
                }
            }
            #expect(requests.count == model.count)
        }
    }
}
