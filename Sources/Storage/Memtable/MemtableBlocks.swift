import DataModel

/// A partition as it lies in the arena of its memtable. Valid as long as the memtable.
///
///     partition := key size u32 · row count u32 · rows · rest · last position u64 · key
///
/// `rows` is the only row's address while there is one, else the root of a tree over the rows. `rest` holds what most
/// partitions do not have; it is made when it is first needed.
public struct MemtablePartition {
    static let keyOffset: Int = 32

    let address: UnsafeMutableRawPointer

    @inline(__always)
    init(_ address: UnsafeMutableRawPointer) {
        self.address = address
    }

    static func make(key: UnsafeRawBufferPointer, arena: inout Arena) -> MemtablePartition {
        let partition = MemtablePartition(arena.allocate(keyOffset &+ key.count))
        unsafe partition.address.storeBytes(of: UInt32(truncatingIfNeeded: key.count), as: UInt32.self)
        partition.rowCount = 0
        partition.rows = nil
        partition.rest = nil
        unsafe partition.address.storeBytes(of: 0, toByteOffset: 24, as: UInt64.self)
        if let start = key.baseAddress {
            unsafe (partition.address + keyOffset).copyMemory(from: start, byteCount: key.count)
        }
        return partition
    }

    @inline(__always) var key: UnsafeRawBufferPointer { TreeNode.key(of: address, MemtablePartition.keyOffset) }

    @inline(__always) var rowCount: Int {
        get { Int(unsafe address.load(fromByteOffset: 4, as: UInt32.self)) }
        nonmutating set {
            unsafe address.storeBytes(of: UInt32(truncatingIfNeeded: newValue), toByteOffset: 4, as: UInt32.self)
        }
    }

    @inline(__always) var rows: UnsafeMutableRawPointer? {
        get { unsafe address.load(fromByteOffset: 8, as: UnsafeMutableRawPointer?.self) }
        nonmutating set { unsafe address.storeBytes(of: newValue, toByteOffset: 8, as: UnsafeMutableRawPointer?.self) }
    }

    @inline(__always) var rest: PartitionRest? {
        get { unsafe address.load(fromByteOffset: 16, as: UnsafeMutableRawPointer?.self).map { PartitionRest($0) } }
        nonmutating set {
            unsafe address.storeBytes(
                of: newValue?.address, toByteOffset: 16, as: UnsafeMutableRawPointer?.self)
        }
    }

    /// Where in the log the last write to the partition is: who has read it has seen what is durable only once the log
    /// is, up to there. `.start` when no write is in the log of this process.
    @inline(__always) public var lastPosition: LogPosition {
        LogPosition(unsafe address.load(fromByteOffset: 24, as: UInt64.self))
    }

    @inline(__always)
    func note(_ position: LogPosition) {
        if position > lastPosition { unsafe address.storeBytes(of: position.value, toByteOffset: 24, as: UInt64.self) }
    }
}

/// What most partitions do not have: a deletion, a static row, range deletions.
///
///     rest := deletion timestamp i64 · deletion seconds i64 · static row's newest version · number of its ranges u32
struct PartitionRest {
    static let byteCount: Int = 32
    static let staticVersionOffset: Int = 16

    let address: UnsafeMutableRawPointer

    @inline(__always)
    init(_ address: UnsafeMutableRawPointer) {
        self.address = address
    }

    static func make(arena: inout Arena) -> PartitionRest {
        let rest = PartitionRest(arena.allocate(byteCount))
        rest.deletion = .none
        unsafe rest.staticSlot.storeBytes(of: nil, as: UnsafeMutableRawPointer?.self)
        rest.rangesNumber = 0
        return rest
    }

    var deletion: Deletion {
        get {
            Deletion(
                timestamp: unsafe address.load(as: Int64.self),
                localSeconds: unsafe address.load(fromByteOffset: 8, as: Int64.self))
        }
        nonmutating set {
            unsafe address.storeBytes(of: newValue.timestamp, as: Int64.self)
            unsafe address.storeBytes(of: newValue.localSeconds, toByteOffset: 8, as: Int64.self)
        }
    }

    /// Where the address of the static row's newest version is.
    var staticSlot: UnsafeMutableRawPointer { unsafe address + PartitionRest.staticVersionOffset }

    /// The place of the partition's ranges in the memtable's list, plus one; 0 for none.
    var rangesNumber: Int {
        get { Int(unsafe address.load(fromByteOffset: 24, as: UInt32.self)) }
        nonmutating set {
            unsafe address.storeBytes(of: UInt32(truncatingIfNeeded: newValue), toByteOffset: 24, as: UInt32.self)
        }
    }
}

/// A row as it lies in the arena.
///
///     row := key size u32 · u32 · newest version · clustering key
struct MemtableRow {
    static let keyOffset: Int = 16

    let address: UnsafeMutableRawPointer

    @inline(__always)
    init(_ address: UnsafeMutableRawPointer) {
        self.address = address
    }

    /// A row with its first version behind it, in one block.
    @inline(__always)
    static func make(
        key: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer, arena: inout Arena
    ) -> MemtableRow {
        let headByteCount: Int = (keyOffset &+ key.count &+ 7) & ~7
        let bodyByteCount: Int = (body.count &+ 7) & ~7
        let row = MemtableRow(arena.allocate(headByteCount &+ RowVersion.headByteCount &+ bodyByteCount))
        unsafe row.address.storeBytes(of: UInt64(UInt32(truncatingIfNeeded: key.count)), as: UInt64.self)
        if let start = key.baseAddress {
            unsafe (row.address + keyOffset).copyMemory(from: start, byteCount: key.count)
        }
        let version = RowVersion(unsafe row.address + headByteCount)
        version.fill(body, capacity: bodyByteCount, older: nil)
        unsafe row.slot.storeBytes(of: version.address, as: UnsafeMutableRawPointer?.self)
        return row
    }

    @inline(__always) var key: UnsafeRawBufferPointer { TreeNode.key(of: address, MemtableRow.keyOffset) }

    /// Where the address of the newest version is.
    @inline(__always) var slot: UnsafeMutableRawPointer { unsafe address + 8 }

    @inline(__always) var newest: RowVersion {
        RowVersion(unsafe address.load(fromByteOffset: 8, as: UnsafeMutableRawPointer.self))
    }
}

/// One version of a row's body. A large row is a short chain of them, from the newest to the oldest, each more than
/// twice as large as the one before it.
///
///     version := older version · size u32 · capacity u32 · body
struct RowVersion {
    static let headByteCount: Int = 16

    let address: UnsafeMutableRawPointer

    @inline(__always)
    init(_ address: UnsafeMutableRawPointer) {
        self.address = address
    }

    @inline(__always)
    func fill(_ body: UnsafeRawBufferPointer, capacity: Int, older: RowVersion?) {
        unsafe address.storeBytes(of: older?.address, as: UnsafeMutableRawPointer?.self)
        unsafe address.storeBytes(of: UInt32(truncatingIfNeeded: capacity), toByteOffset: 12, as: UInt32.self)
        replace(body)
    }

    /// Puts another body into the same block, which is large enough.
    @inline(__always)
    func replace(_ body: UnsafeRawBufferPointer) {
        unsafe address.storeBytes(of: UInt32(truncatingIfNeeded: body.count), toByteOffset: 8, as: UInt32.self)
        if let start = body.baseAddress {
            unsafe (address + RowVersion.headByteCount).copyMemory(from: start, byteCount: body.count)
        }
    }

    @inline(__always) var older: RowVersion? {
        unsafe address.load(as: UnsafeMutableRawPointer?.self).map { RowVersion($0) }
    }

    @inline(__always) var byteCount: Int { Int(unsafe address.load(fromByteOffset: 8, as: UInt32.self)) }
    @inline(__always) var capacity: Int { Int(unsafe address.load(fromByteOffset: 12, as: UInt32.self)) }

    @inline(__always) var body: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: address + RowVersion.headByteCount, count: byteCount)
    }
}
