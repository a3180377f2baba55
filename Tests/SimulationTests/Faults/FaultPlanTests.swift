import Environment
import Primitives
import SimulatedHost
import Simulation
import Testing

@Suite struct FaultPlanTests {
    private static func plan(_ seed: UInt64, nodeCount: Int) -> FaultPlan {
        var generator = SeededGenerator(seed: seed)
        return .drawn(&generator, nodeCount: nodeCount, lengthMilliseconds: 10_000)
    }

    @Test func aPlanFollowsFromItsSeed() {
        for seed: UInt64 in 1...20 {
            #expect(Self.plan(seed, nodeCount: 5) == Self.plan(seed, nodeCount: 5))
        }
        #expect(Self.plan(1, nodeCount: 5) != Self.plan(2, nodeCount: 5))
    }

    @Test func aPlanIsInOrderAndOverInTime() {
        for seed: UInt64 in 1...200 {
            let events: [FaultEvent] = Self.plan(seed, nodeCount: 3).events
            #expect(!events.isEmpty, "seed \(seed)")
            for (index, event) in events.enumerated() {
                #expect(event.startMilliseconds >= 0, "seed \(seed)")
                #expect(event.startMilliseconds + event.durationMilliseconds <= 10_000, "seed \(seed): \(event)")
                if index > 0 { #expect(events[index - 1].startMilliseconds <= event.startMilliseconds, "seed \(seed)") }
            }
        }
    }

    @Test func everyKindOfFaultIsDrawn() {
        var words: Set<String> = []
        for seed: UInt64 in 1...300 {
            for event in Self.plan(seed, nodeCount: 3).events {
                words.insert(String("\(event.fault)".split(separator: " ").prefix(2).joined(separator: " ")))
            }
        }
        for word in [
            "power loss", "kill of", "stop of", "pause of", "split of", "cut from", "flapping split",
            "breaking connections", "slow link", "messages lost,", "clock of", "slow disk", "failing disk", "full disk",
            "flush of", "compaction of",
        ] { #expect(words.contains(word), "\(word)") }
    }

    @Test func oneNodeHasNoFaultsOfTheNet() {
        for seed: UInt64 in 1...100 {
            for event in Self.plan(seed, nodeCount: 1).events {
                let words = "\(event.fault)"
                #expect(
                    !words.hasPrefix("split") && !words.hasPrefix("cut") && !words.hasPrefix("slow link"), "\(words)")
            }
        }
    }
}

@Suite struct SuspensionTests {
    @Test func aSuspendedProcessDoesNothingUntilItGoesOn() throws {
        let world = SimulatedWorld(seed: 5)
        let machine: SimulatedMachine = world.makeHost(name: "a")
        let host: Host = machine.host
        let done = Counter()
        host.background.run("count", on: host.loops[0]) {
            for _ in 0..<10 {
                do { try await host.time.sleep(for: .milliseconds(10)) } catch { return }
                done.value += 1
            }
        }
        try world.run(for: .milliseconds(35))
        #expect(done.value == 3)
        machine.suspend()
        #expect(machine.isSuspended)
        try world.run(for: .milliseconds(500))
        #expect(done.value == 3)
        machine.resume()
        try world.run(for: .milliseconds(15))
        #expect(done.value > 3 && done.value < 10)
        try world.run(for: .milliseconds(200))
        #expect(done.value == 10)
    }

    @Test func othersGoOnWhileAProcessIsSuspended() throws {
        let world = SimulatedWorld(seed: 6)
        let still: SimulatedMachine = world.makeHost(name: "still")
        let busy: SimulatedMachine = world.makeHost(name: "busy")
        let host: Host = still.host
        host.background.run("sleep", on: host.loops[0]) { try? await host.time.sleep(for: .milliseconds(1)) }
        still.suspend()
        try world.run(timeLimit: .seconds(5)) { try await busy.host.time.sleep(for: .seconds(1)) }
        #expect(world.nowNanoseconds == 1_000_000_000)
    }

    @Test func aSuspendedProcessCanBeKilledAndStartedAgain() throws {
        let world = SimulatedWorld(seed: 7)
        let machine: SimulatedMachine = world.makeHost(name: "a")
        machine.suspend()
        machine.kill()
        #expect(!machine.isSuspended)
        let host: Host = machine.restart()
        try world.run(timeLimit: .seconds(1)) { try await host.disk.createDirectory("/data") }
    }

    /// `Sendable` is unchecked because a world is used by one thread.
    private final class Counter: @unchecked Sendable {
        var value = 0
    }
}
