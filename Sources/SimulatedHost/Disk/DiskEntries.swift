import Primitives

/// What a name on a simulated disk stands for. A file has several names after `link`.
enum DiskEntry {
    case file(StoredFile)
    case directory(StoredDirectory)

    func isSame(as other: DiskEntry?) -> Bool {
        switch (self, other) {
        case (.file(let left), .file(let right)): left === right
        case (.directory(let left), .directory(let right)): left === right
        default: false
        }
    }
}

/// A folder: the names that programs see, and those that a loss of power leaves.
final class StoredDirectory {
    var names: [String: DiskEntry] = [:]
    var durableNames: [String: DiskEntry] = [:]

    /// In ascending order of their bytes.
    var sortedNames: [String] { sortedByBytes(names.keys) }
}

func sortedByBytes(_ names: some Sequence<String>) -> [String] {
    names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

/// A change of names that is not durable yet.
struct PendingName {
    enum Change {
        case add(StoredDirectory, String, DiskEntry)
        case remove(StoredDirectory, String, DiskEntry)
        case move(StoredDirectory, String, to: StoredDirectory, String, DiskEntry)
    }

    let sequence: UInt64
    let change: Change

    /// The folder whose `syncDirectory` makes it durable.
    var directory: StoredDirectory {
        switch change {
        case .add(let directory, _, _), .remove(let directory, _, _): directory
        case .move(_, _, let target, _, _): target
        }
    }

    func makeDurable() {
        switch change {
        case .add(let directory, let name, let entry):
            directory.durableNames[name] = entry
        case .remove(let directory, let name, let entry):
            if entry.isSame(as: directory.durableNames[name]) { directory.durableNames[name] = nil }
        case .move(let source, let name, let target, let newName, let entry):
            if entry.isSame(as: source.durableNames[name]) { source.durableNames[name] = nil }
            target.durableNames[newName] = entry
        }
    }
}

/// How a loss of power treats what is not durable.
enum PowerLoss {
    case losesAll
    case keepsAll
    case mixes
}

/// The contents of a file: as programs see them, as they are on the disk, and the changes between the two.
final class StoredFile {
    private struct PendingWrite {
        enum Change {
            case bytes([UInt8], at: Int)
            case size(Int)
        }
        let sequence: UInt64
        let change: Change
    }

    private(set) var content = SparseBytes()
    private(set) var durable = SparseBytes()
    private var pending: [PendingWrite] = []

    func write(_ bytes: [UInt8], at offset: Int, sequence: UInt64) {
        bytes.withUnsafeBytes { content.write($0, at: offset) }
        pending.append(PendingWrite(sequence: sequence, change: .bytes(bytes, at: offset)))
    }

    func resize(to byteCount: Int, sequence: UInt64) {
        content.resize(to: byteCount)
        pending.append(PendingWrite(sequence: sequence, change: .size(byteCount)))
    }

    /// Makes durable what changed up to and including `sequence`.
    func makeDurable(through sequence: UInt64) {
        var kept: [PendingWrite] = []
        for write in pending {
            if write.sequence <= sequence { apply(write.change) } else { kept.append(write) }
        }
        pending = kept
    }

    /// Makes one change durable, and leaves earlier ones.
    func makeDurable(only sequence: UInt64) {
        guard let place = pending.firstIndex(where: { $0.sequence == sequence }) else { return }
        apply(pending.remove(at: place).change)
    }

    /// After a failed sync the system takes its dirty pages for clean: they stay readable, no later sync writes them.
    func forgetPending(through sequence: UInt64) {
        pending.removeAll { $0.sequence <= sequence }
    }

    /// Replaces the contents behind everybody's back.
    func plant(_ bytes: [UInt8]) {
        content = SparseBytes(bytes)
        durable = content
        pending = []
    }

    /// Inverts one bit of what is on the disk.
    func flipBit(_ bit: Int, ofByte offset: Int) {
        content.flipBit(bit, ofByte: offset)
        durable.flipBit(bit, ofByte: offset)
    }

    /// Decides the fate of every unsynced change.
    func losePower(_ mode: PowerLoss, _ generator: inout SeededGenerator) {
        for write in pending {
            switch mode {
            case .losesAll: break
            case .keepsAll: apply(write.change)
            case .mixes: settle(write.change, &generator)
            }
        }
        pending = []
        content = durable
    }

    private func apply(_ change: PendingWrite.Change) {
        switch change {
        case .bytes(let bytes, let offset): bytes.withUnsafeBytes { durable.write($0, at: offset) }
        case .size(let byteCount): durable.resize(to: byteCount)
        }
    }

    /// Keeps, loses or tears one change.
    private func settle(_ change: PendingWrite.Change, _ generator: inout SeededGenerator) {
        let choice: Int = generator.below(3)
        switch change {
        case .size:
            if choice == 0 { apply(change) }
        case .bytes(let bytes, let offset):
            if choice == 0 {
                apply(change)
            } else if choice == 1 {
                // The size may reach the disk without the bytes, which then are zeros.
                let end: Int = offset + bytes.count
                if end > durable.byteCount, generator.oneIn(4) { durable.resize(to: end) }
            } else {
                tear(bytes, at: offset, &generator)
            }
        }
    }

    private func tear(_ bytes: [UInt8], at offset: Int, _ generator: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        let sectorByteCount = 512
        let style: Int = generator.below(4)
        if style == 0 {
            let kept: Int = generator.below(bytes.count + 1)
            bytes.withUnsafeBytes { durable.write(UnsafeRawBufferPointer(rebasing: $0[0..<kept]), at: offset) }
            return
        }
        var start = 0
        var isCut = false
        while start < bytes.count {
            let end: Int = min(bytes.count, start + sectorByteCount - (offset + start) % sectorByteCount)
            if style == 1 {
                isCut = generator.oneIn(2)  // any subset of the sectors
            } else if !isCut {
                isCut = generator.oneIn(1 + bytes.count / sectorByteCount)  // all sectors before some place
            }
            if !isCut {
                let part: Range<Int> = start..<end
                bytes.withUnsafeBytes {
                    durable.write(UnsafeRawBufferPointer(rebasing: $0[part]), at: offset + part.lowerBound)
                }
            }
            start = end
        }
    }
}

extension SparseBytes {
    /// Inverts one bit; does nothing past the end.
    mutating func flipBit(_ bit: Int, ofByte offset: Int) {
        guard offset >= 0, offset < byteCount else { return }
        let flipped: [UInt8] = bytes(1, at: offset).map { $0 ^ UInt8(1) << UInt8(bit & 7) }
        flipped.withUnsafeBytes { write($0, at: offset) }
    }
}
