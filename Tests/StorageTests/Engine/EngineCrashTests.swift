import Testing

@testable import Storage

@Suite struct EngineCrashTests {
    /// Nothing acknowledged is lost and nothing half-written is seen, whatever the disk operation at which the power
    /// goes; and reads equal the model through flushes, compactions, truncations and other numbers of shards.
    @Test(arguments: 0..<4)
    func theEngineEqualsItsModelAfterACrashAtAnyDiskOperation(part: Int) throws {
        for seed in 0..<UInt64(seedCount(100)) where Int(seed % 4) == part {
            let run = EngineCrashRun(seed: seed)
            do {
                try run.run()
            } catch let error as EngineMismatch {
                Issue.record("\(error)")
                return
            } catch {
                Issue.record("seed \(seed): \(error)\n\(run.trail.suffix(40).joined(separator: "\n"))")
                return
            }
        }
    }
}
