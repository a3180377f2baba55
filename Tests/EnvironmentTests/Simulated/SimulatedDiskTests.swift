import Environment
import Primitives
import SimulatedHost
import Testing

@Suite struct SimulatedDiskTests {
    private static func write(_ bytes: [UInt8], to path: String, on host: Host, sync: Bool) async throws {
        let file = try await host.disk.open(path, .update)
        try await file.write(bytes, at: 0)
        if sync { try await file.sync() }
        await file.close()
    }

    @Test func whatWasSyncedSurvivesACrash() throws {
        for seed: UInt64 in 0..<50 {
            let world = SimulatedWorld(seed: seed)
            let machine = world.makeHost(name: "a")
            let host: Host = machine.host
            let bytes: [UInt8] = [UInt8](repeating: 7, count: 5_000)
            try world.run {
                try await host.disk.createDirectory("/d")
                try await SimulatedDiskTests.write(bytes, to: "/d/f", on: host, sync: true)
                try await host.disk.syncDirectory("/d")
                try await host.disk.syncDirectory("/")
            }
            machine.crash()
            #expect(machine.disk.contents(of: "/d/f") == bytes, "seed \(seed)")
        }
    }

    @Test func unsyncedWritesAreKeptLostOrTorn() throws {
        var kept = 0
        var lost = 0
        var torn = 0
        for seed: UInt64 in 0..<200 {
            let world = SimulatedWorld(seed: seed)
            let machine = world.makeHost(name: "a")
            let host: Host = machine.host
            let old: [UInt8] = [UInt8](repeating: 1, count: 4_096)
            let new: [UInt8] = [UInt8](repeating: 2, count: 4_096)
            try world.run {
                try await SimulatedDiskTests.write(old, to: "/f", on: host, sync: true)
                try await host.disk.syncDirectory("/")
                try await SimulatedDiskTests.write(new, to: "/f", on: host, sync: false)
            }
            machine.crash()
            let found: [UInt8] = machine.disk.contents(of: "/f") ?? []
            #expect(found.count == 4_096, "seed \(seed)")
            #expect(found.allSatisfy { $0 == 1 || $0 == 2 }, "seed \(seed)")
            if found == new { kept += 1 } else if found == old { lost += 1 } else { torn += 1 }
        }
        #expect(kept > 20 && lost > 20 && torn > 20, "kept \(kept), lost \(lost), torn \(torn)")
    }

    @Test func unsyncedNamesAreKeptOrLostAndARenameIsOldOrNew() throws {
        var renamed = 0
        for seed: UInt64 in 0..<100 {
            let world = SimulatedWorld(seed: seed)
            let machine = world.makeHost(name: "a")
            let host: Host = machine.host
            try world.run {
                try await SimulatedDiskTests.write([1], to: "/current", on: host, sync: true)
                try await host.disk.syncDirectory("/")
                try await SimulatedDiskTests.write([2], to: "/next", on: host, sync: true)
                try await host.disk.rename("/next", to: "/current")
            }
            machine.crash()
            let found: [UInt8]? = machine.disk.contents(of: "/current")
            #expect(found == [1] || found == [2], "seed \(seed)")
            if found == [2] { renamed += 1 }
        }
        #expect(renamed > 10 && renamed < 90)
    }

    @Test func aKillLosesNothing() throws {
        let world = SimulatedWorld(seed: 3)
        let machine = world.makeHost(name: "a")
        let host: Host = machine.host
        try world.run {
            try await SimulatedDiskTests.write([1, 2], to: "/f", on: host, sync: false)
            let log = try await host.disk.openLog("/log", byteCount: 4_096, access: .stored)
            [UInt8](repeating: 9, count: 10).withUnsafeBytes { log.store($0, at: 100) }
        }
        machine.kill()
        #expect(machine.disk.contents(of: "/f") == [1, 2])
        #expect(machine.disk.contents(of: "/log")?[105] == 9)
        let again: Host = machine.restart()
        let read: [UInt8] = try world.run {
            try await again.disk.openLog("/log", byteCount: 4_096, access: .stored).read(3, at: 99)
        }
        #expect(read == [0, 9, 9])
    }

    @Test func storesWithoutSyncMayBeLostInACrash() throws {
        var lost = 0
        for seed: UInt64 in 0..<60 {
            let world = SimulatedWorld(seed: seed)
            let machine = world.makeHost(name: "a")
            let host: Host = machine.host
            try world.run {
                let log = try await host.disk.openLog("/log", byteCount: 8_192, access: .stored)
                try await host.disk.syncDirectory("/")
                [UInt8](repeating: 1, count: 10).withUnsafeBytes { log.store($0, at: 0) }
                try await log.sync()
                [UInt8](repeating: 2, count: 10).withUnsafeBytes { log.store($0, at: 10) }
            }
            machine.crash()
            let found: [UInt8] = machine.disk.contents(of: "/log") ?? []
            #expect(found.count == 8_192, "seed \(seed)")
            #expect(found.prefix(10).allSatisfy { $0 == 1 }, "seed \(seed)")
            if found.count > 10, found[10] == 0 { lost += 1 }
        }
        #expect(lost > 10 && lost < 55)
    }

    @Test func durableWritesSurviveOnceTheyHaveReturned() throws {
        for seed: UInt64 in 0..<40 {
            let world = SimulatedWorld(seed: seed)
            let machine = world.makeHost(name: "a")
            let host: Host = machine.host
            try world.run {
                let log = try await host.disk.openLog("/log", byteCount: 16_384, access: .durable)
                try await host.disk.syncDirectory("/")
                try await log.writeDurably([UInt8](repeating: 5, count: 4_096), at: 4_096)
            }
            machine.crash()
            let found: [UInt8] = machine.disk.contents(of: "/log") ?? []
            #expect(found.count == 16_384 && found[4_096..<8_192].allSatisfy { $0 == 5 }, "seed \(seed)")
        }
    }

    @Test(arguments: 0..<8) func theMachineStopsAtTheOperationThatWasAskedFor(limit: Int) throws {
        let world = SimulatedWorld(seed: 11)
        let machine = world.makeHost(name: "a")
        let host: Host = machine.host
        machine.disk.crashAfterOperation = limit
        // Four operations a file, six in all.
        let run: () throws -> Void = {
            try world.run(on: host.loops[0]) {
                try await SimulatedDiskTests.write([1], to: "/a", on: host, sync: true)
                try await SimulatedDiskTests.write([1], to: "/b", on: host, sync: true)
            }
        }
        if limit >= 6 {
            try run()
        } else {
            #expect(throws: SimulationFailure.crashed(machine: "a")) { try run() }
            #expect(machine.disk.operationCount == limit + 1)
        }
    }

    @Test func aFullDiskTakesWhatFits() throws {
        let world = SimulatedWorld(seed: 1)
        let machine = world.makeHost(name: "a")
        machine.disk.faults.capacityByteCount = 1_000
        let host: Host = machine.host
        try world.run {
            let file = try await host.disk.open("/f", .create)
            try await file.write([UInt8](repeating: 1, count: 600), at: 0)
            let free: Int = try await host.disk.freeByteCount("/")
            #expect(free == 400)
            await #expect(throws: DiskError.outOfSpace(path: "/f")) {
                try await file.write([UInt8](repeating: 2, count: 600), at: 600)
            }
            #expect(file.byteCount == 1_000)
            await #expect(throws: DiskError.outOfSpace(path: "/log")) {
                _ = try await host.disk.openLog("/log", byteCount: 4_096, access: .stored)
            }
            try await host.disk.remove("/f")
            _ = try await host.disk.openLog("/log", byteCount: 1_000, access: .stored)
        }
    }

    @Test func theChosenOperationFails() throws {
        let world = SimulatedWorld(seed: 1)
        let machine = world.makeHost(name: "a")
        let host: Host = machine.host
        machine.disk.faults.failingOperation = 1
        try world.run {
            let file = try await host.disk.open("/f", .create)
            await #expect(throws: DiskError.failed(path: "/f", code: 5, reason: "Input/output error")) {
                try await file.write([1, 2, 3], at: 0)
            }
            try await file.write([1, 2, 3], at: 0)
        }
    }

    @Test func aFailedSyncForgetsWhatItShouldHaveWritten() throws {
        let world = SimulatedWorld(seed: 1)
        let machine = world.makeHost(name: "a")
        let host: Host = machine.host
        machine.disk.faults.failingOperation = 2
        try world.run {
            let file = try await host.disk.open("/f", .create)
            try await file.write([1, 2, 3], at: 0)
            await #expect(throws: DiskError.self) { try await file.sync() }
            try await file.sync()
        }
        #expect(machine.disk.contents(of: "/f") == [1, 2, 3])
        #expect(machine.disk.durableContents(of: "/f") == [])
    }

    @Test func aFlippedBitIsThere() throws {
        let world = SimulatedWorld(seed: 1)
        let machine = world.makeHost(name: "a")
        machine.disk.plant([0, 0, 0], at: "/d/f")
        machine.disk.flipBit(3, ofByte: 1, in: "/d/f")
        #expect(machine.disk.contents(of: "/d/f") == [0, 8, 0])
        machine.disk.flipBit(3, ofByte: 3, in: "/d/f")
        #expect(machine.disk.contents(of: "/d/f") == [0, 8, 0])
        #expect(machine.disk.flipRandomBit(under: "/") == "/d/f")
        #expect(machine.disk.contents(of: "/d/f") != [0, 8, 0])
        #expect(machine.disk.files() == ["/d/f"])
    }

    @Test func handlesThatStayOpenAreSeen() throws {
        let world = SimulatedWorld(seed: 1)
        let machine = world.makeHost(name: "a")
        let host: Host = machine.host
        let file: any DiskFile = try world.run { try await host.disk.open("/f", .create) }
        #expect(machine.disk.openHandles == ["/f"])
        try world.run { await file.close() }
        #expect(machine.disk.openHandles == [])
    }

    @Test func cachedReadsSometimesMiss() throws {
        let world = SimulatedWorld(seed: 1)
        let machine = world.makeHost(name: "a")
        let host: Host = machine.host
        machine.disk.plant([1, 2, 3], at: "/f")
        let file: any DiskFile = try world.run { try await host.disk.open("/f", .read) }
        var target: [UInt8] = [0, 0]
        machine.disk.faults.cacheMissProbability = 1
        let missed: Int? = target.withUnsafeMutableBytes { file.readIfCached(into: $0, at: 0) }
        #expect(missed == nil)
        machine.disk.faults.cacheMissProbability = 0
        let found: Int? = target.withUnsafeMutableBytes { file.readIfCached(into: $0, at: 2) }
        #expect(found == 1 && target == [3, 0])
    }
}
