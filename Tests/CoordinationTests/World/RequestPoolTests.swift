import Primitives
import Testing

@testable import Coordination

/// The pool of objects for requests under way.
@Suite struct RequestPoolTests {
    private final class Request: PooledRequest {
        var place = 0
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    @Test func whatIsInUseIsListedOnceWhateverComesAndGoes() {
        var generator = SeededGenerator(seed: 7)
        var pool = RequestPool<Request>()
        var made = 0
        var taken: [Request] = []
        for _ in 0..<20_000 {
            if taken.isEmpty || generator.below(100) < 52 {
                taken.append(
                    pool.take {
                        made += 1
                        return Request(made)
                    })
            } else {
                pool.giveBack(taken.remove(at: generator.below(taken.count)))
            }
            if generator.below(500) == 0 { pool.trim() }
        }
        #expect(pool.inUse.map(\.number).sorted() == taken.map(\.number).sorted())
        #expect(pool.inUse.indices.allSatisfy { pool.inUse[$0].place == $0 })
        for request in taken { pool.giveBack(request) }
        #expect(pool.inUse.isEmpty)
    }

    @Test func afterABurstTheSurplusGoesAndAFewStay() {
        var pool = RequestPool<Request>()
        let taken: [Request] = (0..<5_000).map { number in pool.take { Request(number) } }
        for request in taken { pool.giveBack(request) }
        pool.trim()
        #expect(pool.count == 5_000)
        var rounds = 0
        while pool.isLarge {
            pool.trim()
            rounds += 1
        }
        #expect(pool.count == RequestPool<Request>.keptCount)
        #expect((8..<20).contains(rounds))
        pool.trim()
        #expect(pool.count == RequestPool<Request>.keptCount)
    }

    @Test func whatIsNeededAgainAndAgainIsKept() {
        var pool = RequestPool<Request>()
        var made = 0
        for _ in 0..<10 {
            let taken: [Request] = (0..<1_000).map { number in
                pool.take {
                    made += 1
                    return Request(number)
                }
            }
            for request in taken { pool.giveBack(request) }
            pool.trim()
        }
        #expect(made == 1_000)
    }
}
