import Cluster
import Environment
import SimulatedHost
import Testing

/// Waiting for a node to act by what it has learned.
@Suite struct AppliedEpochTests {
    @Test func whoeverWaitsGoesOnWhenTheEpochIsReachedOrTimeIsUp() throws {
        let world = SimulatedWorld(seed: 1)
        let host: Host = world.makeHost(name: "a").host
        let applied = AppliedEpoch()
        #expect(applied.obstacle(to: 0) == nil)
        #expect(applied.obstacle(to: 1) != nil)
        let loop: any Loop = host.loops[0]
        let outcome: [Bool] = try world.run(on: loop) {
            host.background.run("reach", on: loop) {
                try? await host.time.sleep(for: .milliseconds(10))
                applied.reached(4)
                try? await host.time.sleep(for: .milliseconds(10))
                applied.reached(6)
            }
            let late: Bool = await applied.wait(for: 5, within: .milliseconds(15), on: loop)
            let inTime: Bool = await applied.wait(for: 6, within: .milliseconds(15), on: loop)
            let atOnce: Bool = await applied.wait(for: 6, within: .zero, on: loop)
            return [late, inTime, atOnce]
        }
        #expect(outcome == [false, true, true])
    }

    @Test func whatStandsInTheWayIsForgottenWhenTheNodeGetsFurther() {
        let applied = AppliedEpoch()
        applied.reached(3)
        applied.failed("no space is left")
        #expect(applied.obstacle(to: 3) == nil)
        #expect(applied.obstacle(to: 4) == "no space is left")
        applied.reached(4)
        applied.reached(2)
        #expect(applied.epoch == 4)
        #expect(applied.obstacle(to: 4) == nil)
    }
}
