import Environment
import Primitives
import SimulatedHost
import Testing

@Suite struct SimulatedWorldTests {
    /// Tasks, actors, groups, timers and disks at once.
    private static func busyHistory(seed: UInt64) throws -> UInt64 {
        let world = SimulatedWorld(seed: seed)
        let machine = world.makeHost(name: "a", loopCount: 3)
        let host: Host = machine.host
        let total: Int = try world.run {
            let tally = Tally()
            var works: [any BackgroundWork] = []
            for (index, loop) in host.loops.enumerated() {
                works.append(
                    host.background.run("writer", on: loop) {
                        for round in 0..<5 {
                            try? await host.time.sleep(for: .microseconds(Int(host.entropy.next() % 50)))
                            let file = try? await host.disk.open("/f\(index)-\(round)", .create)
                            try? await file?.write([1, 2, 3], at: 0)
                            await file?.close()
                            await tally.add(1)
                        }
                    })
            }
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<10 { group.addTask { await tally.add(1) } }
            }
            for work in works { await work.wait() }
            return await tally.value
        }
        #expect(total == 25)
        return world.traceHash
    }

    @Test func theSameSeedGivesTheSameHistory() throws {
        for seed: UInt64 in 0..<10 {
            let first: UInt64 = try SimulatedWorldTests.busyHistory(seed: seed)
            let second: UInt64 = try SimulatedWorldTests.busyHistory(seed: seed)
            #expect(first == second, "seed \(seed)")
        }
    }

    @Test func anotherSeedGivesAnotherHistory() throws {
        let first: UInt64 = try SimulatedWorldTests.busyHistory(seed: 1)
        let second: UInt64 = try SimulatedWorldTests.busyHistory(seed: 2)
        #expect(first != second)
    }

    @Test func aBodyThatWaitsForNothingIsADeadlock() {
        let world = SimulatedWorld(seed: 1)
        let error = #expect(throws: SimulationFailure.self) {
            try world.run { await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in } }
        }
        guard case .deadlock = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
    }

    @Test func anEndlessWaitReachesTheTimeLimit() {
        let world = SimulatedWorld(seed: 1)
        let time = world.makeHost(name: "a").host.time
        let error = #expect(throws: SimulationFailure.self) {
            try world.run(timeLimit: .seconds(10)) { while true { try await time.sleep(for: .seconds(1)) } }
        }
        guard case .timeLimitReached = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
    }

    @Test func anEndlessLoopReachesTheStepLimit() {
        let world = SimulatedWorld(seed: 1)
        world.stepLimit = 1_000
        let loop = world.makeHost(name: "a").host.loops[0]
        @Sendable func again() { loop.execute(again) }
        again()
        let error = #expect(throws: SimulationFailure.self) { try world.runUntilIdle() }
        guard case .stepLimitReached = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
    }

    @Test func errorsOfTheBodyComeOut() {
        struct Mishap: Error {}
        let world = SimulatedWorld(seed: 1)
        #expect(throws: Mishap.self) { try world.run { throw Mishap() } }
    }

    @Test func virtualTimePassesWithoutRealTime() throws {
        let world = SimulatedWorld(seed: 1)
        let time = world.makeHost(name: "a").host.time
        let start: UInt64 = time.monotonicNanoseconds
        try world.run { try await time.sleep(for: .seconds(3_600)) }
        #expect(time.monotonicNanoseconds - start == 3_600_000_000_000)
        try world.run(for: .seconds(10))
        #expect(time.monotonicNanoseconds - start == 3_610_000_000_000)
    }

    @Test func wallClocksJumpAndDriftButMonotonicOnesDoNot() throws {
        let world = SimulatedWorld(seed: 1)
        let machine = world.makeHost(name: "a")
        let other = world.makeHost(name: "b")
        machine.time.jump(byMicroseconds: -5_000_000)
        #expect(other.time.wallMicroseconds - machine.time.wallMicroseconds == 5_000_000)
        machine.time.jump(byMicroseconds: 5_000_000)
        machine.time.drift(partsPerMillion: 100)
        try world.run(for: .seconds(100))
        #expect(machine.time.wallMicroseconds - other.time.wallMicroseconds == 10_000)
        #expect(machine.time.monotonicNanoseconds == other.time.monotonicNanoseconds)
    }

    @Test func aCancelledSleepThrows() throws {
        let world = SimulatedWorld(seed: 1)
        let host: Host = world.makeHost(name: "a").host
        let wasCancelled: Bool = try world.run {
            let flag = Flag()
            let work = host.background.run("sleeper", on: host.loops[0]) {
                do { try await host.time.sleep(for: .seconds(1_000_000)) } catch { await flag.raise() }
            }
            try await host.time.sleep(for: .seconds(1))
            work.cancel()
            await work.wait()
            return await flag.isRaised
        }
        #expect(wasCancelled)
        #expect(world.nowNanoseconds == 1_000_000_000)
    }

    @Test func aKilledProcessDoesNothingMore() throws {
        let world = SimulatedWorld(seed: 1)
        let machine = world.makeHost(name: "a")
        let host: Host = machine.host
        let flag = Flag()
        host.background.run("worker", on: host.loops[0]) {
            try? await host.time.sleep(for: .seconds(1))
            await flag.raise()
        }
        try world.run(for: .milliseconds(500))
        machine.kill()
        try world.run(for: .seconds(10))
        let isRaised: Bool = try world.run { await flag.isRaised }
        #expect(!isRaised)
        let again: Host = machine.restart()
        try world.run(on: again.loops[0]) { try await again.time.sleep(for: .seconds(1)) }
    }
}

actor Tally {
    private(set) var value = 0

    func add(_ count: Int) {
        value += count
    }
}

actor Flag {
    private(set) var isRaised = false

    func raise() {
        isRaised = true
    }
}
