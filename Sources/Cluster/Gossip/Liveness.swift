internal import Primitives
internal import Synchronization

/// Which members are up, as this node sees them.
///
/// Written by `GossipLoop` on loop 0, read from every loop without a lock: `isAlive` is a lookup in a table whose slots
/// are only ever filled and whose flags are atomic.
///
/// `Sendable` is unchecked because of the address of the table alone: it is atomic, and what it leads to stays until this
/// object goes.
public final class Liveness: @unchecked Sendable {
    /// Told on loop 0, in the order of the changes: who, and whether it is up now.
    package typealias Listener = @Sendable (NodeID, Bool) -> Void

    private let local: NodeID
    private let table: Atomic<LivenessTable.Address>
    private struct Shared {
        /// The table in use is the last. Readers may still be in those before it, so they live as long as this does;
        /// each is half as large as its follower.
        var tables: [LivenessTable]
        var listeners: [Listener] = []
    }
    private let shared: Mutex<Shared>

    /// - Parameter alive: who is up before anybody has been heard of.
    package init(local: NodeID, alive: [NodeID] = []) {
        self.local = local
        let first = LivenessTable(slotCount: 64)
        self.table = Atomic(first.address)
        self.shared = Mutex(Shared(tables: [first]))
        set(local, alive: true)
        for id in alive { set(id, alive: true) }
    }

    /// Whether a node is believed to be up. The local node always is.
    ///
    /// Hot: once per replica of a request.
    public func isAlive(_ id: NodeID) -> Bool {
        LivenessTable.isAlive(id, in: table.load(ordering: .acquiring))
    }

    /// The nodes that are up, ascending.
    package var alive: [NodeID] {
        shared.withLock { shared in shared.tables.last?.alive ?? [] }
    }

    /// Adds somebody who wants to know of changes. There is no way to leave: listeners live as long as the node.
    package func listen(_ listener: @escaping Listener) {
        shared.withLock { $0.listeners.append(listener) }
    }

    /// Changes whether a node is up, and tells the listeners when that is news. On loop 0.
    package func set(_ id: NodeID, alive: Bool) {
        let listeners: [Listener]? = shared.withLock { shared in
            guard let current = shared.tables.last else { return nil }
            if LivenessTable.isAlive(id, in: current.address) == alive { return nil }
            if !current.set(id, alive: alive) {
                let larger: LivenessTable = current.grown()
                shared.tables.append(larger)
                _ = larger.set(id, alive: alive)
                table.store(larger.address, ordering: .releasing)
            }
            return shared.listeners
        }
        for listener in listeners ?? [] { listener(id, alive) }
    }
}

/// An open-addressing table from nodes to a flag.
///
///     slot count · (state · high · low)*        state: 0 empty, 1 down, 2 up
///
/// A slot's node is written before its state becomes other than empty, and never changes then; so a reader that sees a
/// state sees the node.
///
/// `Sendable` is unchecked because there is one writer at a time (the lock of `Liveness`), and readers follow the rule
/// above.
final class LivenessTable: @unchecked Sendable {
    typealias Address = UnsafeMutablePointer<Slot>

    struct Slot: ~Copyable {
        let state = Atomic<UInt64>(0)
        var high: UInt64
        var low: UInt64
    }

    /// The first slot is the head: its `high` is the mask of slot numbers.
    let address: Address
    private let slotCount: Int
    private var usedCount = 0

    /// - Parameter slotCount: a power of two.
    init(slotCount: Int) {
        require(slotCount & (slotCount - 1) == 0, "the number of slots is a power of two")
        self.slotCount = slotCount
        self.address = Address.allocate(capacity: slotCount + 1)
        for index in 0...slotCount { (address + index).initialize(to: Slot(high: 0, low: 0)) }
        address.pointee.high = UInt64(slotCount - 1)
    }

    deinit {
        address.deinitialize(count: slotCount + 1)
        address.deallocate()
    }

    static func isAlive(_ id: NodeID, in address: Address) -> Bool {
        let mask: UInt64 = address.pointee.high
        var place: UInt64 = hash(id) & mask
        while true {
            let slot: Address = address + 1 + Int(truncatingIfNeeded: place)
            let state: UInt64 = slot.pointee.state.load(ordering: .acquiring)
            if state == 0 { return false }
            if slot.pointee.low == id.uuid.low, slot.pointee.high == id.uuid.high { return state == 2 }
            place = (place &+ 1) & mask
        }
    }

    /// Sets a flag; false when the table must grow first, which it does while a quarter of it is empty, so that every
    /// search ends.
    func set(_ id: NodeID, alive: Bool) -> Bool {
        var place: UInt64 = LivenessTable.hash(id) & UInt64(slotCount - 1)
        while true {
            let slot: Address = address + 1 + Int(truncatingIfNeeded: place)
            let isEmpty: Bool = slot.pointee.state.load(ordering: .relaxed) == 0
            if isEmpty {
                guard (usedCount + 1) * 4 <= slotCount * 3 else { return false }
                usedCount += 1
                slot.pointee.high = id.uuid.high
                slot.pointee.low = id.uuid.low
            }
            if isEmpty || (slot.pointee.low == id.uuid.low && slot.pointee.high == id.uuid.high) {
                slot.pointee.state.store(alive ? 2 : 1, ordering: .releasing)
                return true
            }
            place = (place &+ 1) & UInt64(slotCount - 1)
        }
    }

    /// Twice as large; it takes only those that are up, for "unknown" and "down" are answered alike.
    func grown() -> LivenessTable {
        let larger = LivenessTable(slotCount: slotCount * 2)
        for id in alive { _ = larger.set(id, alive: true) }
        return larger
    }

    /// Ascending.
    var alive: [NodeID] {
        var found: [NodeID] = []
        for index in 1...slotCount where (address + index).pointee.state.load(ordering: .relaxed) == 2 {
            let slot: Address = address + index
            found.append(NodeID(UUID(high: slot.pointee.high, low: slot.pointee.low)))
        }
        return found.sorted()
    }

    private static func hash(_ id: NodeID) -> UInt64 {
        let mixed: UInt64 = (id.uuid.high ^ id.uuid.low) &* 0x9E37_79B9_7F4A_7C15
        return mixed ^ mixed >> 32
    }
}
