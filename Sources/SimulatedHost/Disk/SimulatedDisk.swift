import Environment
import Primitives

/// The disk of one machine, which outlives its processes: files in memory, with what is durable kept apart.
///
///     write ──▶ content ──sync──▶ durable         a kill leaves content, a crash leaves durable
///     create, rename, link, remove ──syncDirectory──▶ durable names
///
/// On a loss of power every unsynced change is by itself kept, lost or torn. Programs reach the disk through
/// `Host.disk`; what is here is for tests: faults, damage and a look inside.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class SimulatedDisk: @unchecked Sendable {
    package var faults = DiskFaults()
    /// The machine loses its power as soon as it starts the operation after this many; that operation is then in flight,
    /// so it is kept, lost or torn. Nil for never.
    package var crashAfterOperation: Int?
    /// How many operations have been started, those that failed included. `readIfCached` and `close` do not count.
    package private(set) var operationCount = 0

    let root = StoredDirectory()
    var pendingNames: [PendingName] = []
    var lockedDirectories: [StoredDirectory] = []
    var openPaths: [(number: Int, path: String)] = []
    var generator: SeededGenerator
    /// Takes the power of the machine away.
    var stopMachine: () -> Void = {}
    private var changeSequence: UInt64 = 0
    private var handleNumber = 0
    private unowned let world: SimulatedWorld

    init(world: SimulatedWorld, generator: SeededGenerator) {
        self.world = world
        self.generator = generator
    }

    // MARK: Life of an operation

    /// What becomes of an operation that starts now.
    enum Fate {
        case goesOn
        case fails
        case crashes
    }

    func begin(_ name: StaticString, _ path: String) -> Fate {
        let ordinal: Int = operationCount
        operationCount += 1
        world.record("\(name) \(path)")
        if let last = crashAfterOperation, ordinal >= last { return .crashes }
        if faults.failingOperation == ordinal { return .fails }
        guard faults.failureProbability > 0 else { return .goesOn }
        if let part = faults.failingPathPart, !contains(path, part) { return .goesOn }
        return generator.chance(faults.failureProbability) ? .fails : .goesOn
    }

    func latencyNanoseconds() -> UInt64 {
        let low: UInt64 = faults.latency.minimum.wholeNanoseconds
        let high: UInt64 = max(low, faults.latency.maximum.wholeNanoseconds)
        var latency: UInt64 = high > low ? low + generator.next(upperBound: high - low) : low
        if generator.chance(faults.latency.slowProbability) {
            latency += faults.latency.slowDuration.wholeNanoseconds
        }
        return latency
    }

    /// The number of the next change, ascending.
    func nextChange() -> UInt64 {
        changeSequence += 1
        return changeSequence
    }

    var lastChange: UInt64 { changeSequence }

    func opened(_ path: String) -> Int {
        handleNumber += 1
        openPaths.append((handleNumber, path))
        return handleNumber
    }

    func closed(_ number: Int) {
        openPaths.removeAll { $0.number == number }
    }

    func changeNames(_ change: PendingName.Change) {
        pendingNames.append(PendingName(sequence: nextChange(), change: change))
        switch change {
        case .add(let directory, let name, let entry): directory.names[name] = entry
        case .remove(let directory, let name, _): directory.names[name] = nil
        case .move(let source, let name, let target, let newName, let entry):
            source.names[name] = nil
            target.names[newName] = entry
        }
    }

    func makeNamesDurable(of directory: StoredDirectory, through sequence: UInt64) {
        var kept: [PendingName] = []
        for pending in pendingNames {
            if pending.directory === directory, pending.sequence <= sequence {
                pending.makeDurable()
            } else {
                kept.append(pending)
            }
        }
        pendingNames = kept
    }

    // MARK: Space

    /// Bytes that can still be added.
    var freeByteCount: Int {
        guard let capacity = faults.capacityByteCount else { return 1 << 42 }
        return max(0, capacity - usedByteCount)
    }

    /// The bytes of all files that have a name.
    package var usedByteCount: Int {
        var seen: Set<ObjectIdentifier> = []
        var total = 0
        forEachFile(below: root, path: "") { _, file in
            if seen.insert(ObjectIdentifier(file)).inserted { total += file.content.byteCount }
        }
        return total
    }

    /// Visits files in the order of their paths.
    func forEachFile(below directory: StoredDirectory, path: String, _ visit: (String, StoredFile) -> Void) {
        for name in directory.sortedNames {
            switch directory.names[name] {
            case .file(let file): visit("\(path)/\(name)", file)
            case .directory(let child): forEachFile(below: child, path: "\(path)/\(name)", visit)
            case nil: break
            }
        }
    }

    // MARK: Ends

    /// The process is gone: what it wrote stays, what it held is free.
    func processEnded() {
        openPaths = []
        lockedDirectories = []
    }

    /// The power is gone.
    func losePower() {
        let mode: PowerLoss
        switch generator.below(8) {
        case 0, 1: mode = .losesAll
        case 2: mode = .keepsAll
        default: mode = .mixes
        }
        for pending in pendingNames {
            let isKept: Bool = mode == .keepsAll || (mode == .mixes && generator.oneIn(2))
            if isKept { pending.makeDurable() }
        }
        pendingNames = []
        var settled: Set<ObjectIdentifier> = []
        losePower(root, mode, &settled)
        processEnded()
    }

    private func losePower(_ directory: StoredDirectory, _ mode: PowerLoss, _ settled: inout Set<ObjectIdentifier>) {
        guard settled.insert(ObjectIdentifier(directory)).inserted else { return }
        directory.names = directory.durableNames
        for name in directory.sortedNames {
            switch directory.names[name] {
            case .file(let file):
                if settled.insert(ObjectIdentifier(file)).inserted { file.losePower(mode, &generator) }
            case .directory(let child): losePower(child, mode, &settled)
            case nil: break
            }
        }
    }
}

/// Whether `part` is inside `text`.
private func contains(_ text: String, _ part: String) -> Bool {
    let text = Array(text.utf8)
    let part = Array(part.utf8)
    guard part.count <= text.count else { return false }
    for start in 0...(text.count - part.count) where text[start..<(start + part.count)].elementsEqual(part) {
        return true
    }
    return false
}
