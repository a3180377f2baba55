import Environment
import Testing

let loopRules: [Rule] = [
    Rule("jobs of a loop run in the order in which they were given") { host, _ in
        let loop = host.loops[0]
        let notes = Notes(loop)
        for number in 0..<100 { loop.execute { notes.add(number) } }
        let numbers: [Int] = await notes.all
        #expect(numbers == Array(0..<100))
    },
    Rule("a job given from inside a job runs after it") { host, _ in
        let loop = host.loops[0]
        let notes = Notes(loop)
        await on(loop) {
            loop.execute { notes.add(2) }
            notes.add(1)
        }
        let numbers: [Int] = await notes.all
        #expect(numbers == [1, 2])
    },
    Rule("a loop knows whether it runs the caller, and its place") { host, _ in
        for (index, loop) in host.loops.enumerated() {
            #expect(loop.index == index)
            let loops: [any Loop] = host.loops
            let current: [Bool] = await on(loop) { loops.map { $0.isCurrent } }
            #expect(current == host.loops.indices.map { $0 == index })
        }
    },
    Rule("timers run in the order in which they are due") { host, _ in
        let loop = host.loops[0]
        let notes = Notes(loop)
        for delay in [30, 10, 20, 0] {
            _ = loop.schedule(after: .milliseconds(delay)) {
                #expect(loop.isCurrent)
                notes.add(delay)
            }
        }
        await notes.wait(count: 4)
        let delays: [Int] = await notes.all
        #expect(delays == [0, 10, 20, 30])
    },
    Rule("a cancelled timer does not run, and cancelling late is harmless") { host, _ in
        let loop = host.loops[0]
        let notes = Notes(loop)
        let cancelled = loop.schedule(after: .milliseconds(1)) { notes.add(1) }
        cancelled.cancel()
        cancelled.cancel()
        let late = loop.schedule(after: .milliseconds(5)) { notes.add(2) }
        await notes.wait(count: 1)
        late.cancel()
        let numbers: [Int] = await notes.all
        #expect(numbers == [2])
    },
    Rule("a task with a loop's preference stays on the loop") { host, folder in
        let loop = host.loops[1]
        let notes = Notes(loop)
        let work = host.background.run("stays", on: loop) {
            notes.add(loop.isCurrent ? 1 : 0)
            try? await host.time.sleep(for: .milliseconds(1))
            notes.add(loop.isCurrent ? 1 : 0)
            _ = try? await host.disk.list(folder)
            notes.add(loop.isCurrent ? 1 : 0)
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<3 { group.addTask { notes.add(loop.isCurrent ? 1 : 0) } }
            }
            notes.add(loop.isCurrent ? 1 : 0)
        }
        await work.wait()
        let numbers: [Int] = await notes.all
        #expect(numbers == [1, 1, 1, 1, 1, 1, 1])
    },
    Rule("background work is cancelled at its next wait, and waited for") { host, _ in
        let notes = Notes(host.loops[0])
        let work = host.background.run("endless", on: host.loops[0]) {
            notes.add(1)
            do throws(CancellationError) {
                while true { try await host.time.sleep(for: .seconds(3_600)) }
            } catch {
                notes.add(2)
            }
        }
        await notes.wait(count: 1)
        work.cancel()
        await work.wait()
        await work.wait()
        let numbers: [Int] = await notes.all
        #expect(numbers == [1, 2])
    },
]

let timeRules: [Rule] = [
    Rule("monotonic time does not go back, wall time is of this century") { host, _ in
        var last: UInt64 = host.time.monotonicNanoseconds
        for _ in 0..<100 {
            let next: UInt64 = host.time.monotonicNanoseconds
            #expect(next >= last)
            last = next
        }
        #expect(host.time.wallMicroseconds > 1_600_000_000_000_000)
        #expect(abs(host.time.wallSeconds - host.time.wallMicroseconds / 1_000_000) <= 1)
    },
    Rule("a sleep lasts at least as long as asked for") { host, _ in
        for milliseconds in [0, 1, 5] {
            let start: UInt64 = host.time.monotonicNanoseconds
            try await host.time.sleep(for: .milliseconds(milliseconds))
            #expect(host.time.monotonicNanoseconds - start >= UInt64(milliseconds) * 1_000_000)
        }
    },
    Rule("entropy gives different numbers") { host, _ in
        let numbers: [UInt64] = (0..<100).map { _ in host.entropy.next() }
        #expect(Set(numbers).count == 100)
    },
]

/// Numbers noted on a loop, in order.
///
/// `Sendable` is unchecked because the numbers are only touched on the loop.
final class Notes: @unchecked Sendable {
    private let loop: any Loop
    private var numbers: [Int] = []
    private var waiting: [(count: Int, continuation: UnsafeContinuation<Void, Never>)] = []

    init(_ loop: any Loop) {
        self.loop = loop
    }

    func add(_ number: Int) {
        numbers.append(number)
        for waiter in waiting where waiter.count <= numbers.count { waiter.continuation.resume() }
        waiting.removeAll { $0.count <= numbers.count }
    }

    var all: [Int] {
        get async { await on(loop) { self.numbers } }
    }

    func wait(count: Int) async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            loop.execute {
                if self.numbers.count >= count { return continuation.resume() }
                self.waiting.append((count, continuation))
            }
        }
    }
}
