import Synchronization

/// Connections and requests of all clients, over all shards: what the limits of the node are held against.
package final class ClientLoad: Sendable {
    enum Admission {
        case admitted(SessionLoad)
        /// The setting that says so, and its value.
        case refused(setting: StaticString, limit: Int)
    }

    /// The bytes that somebody's requests have under way.
    final class Bytes: Sendable {
        let count = Atomic<Int>(0)
    }

    private struct Address {
        var connectionCount = 0
        let bytes = Bytes()
    }

    private let counts = Mutex<(total: Int, byAddress: [[UInt8]: Address])>((0, [:]))
    private let bytes = Bytes()

    package init() {}

    func enter(_ address: [UInt8], _ limits: SessionLimits) -> Admission {
        counts.withLock { counts in
            if limits.connectionCount >= 0, counts.total >= limits.connectionCount {
                return .refused(
                    setting: "native_transport_max_concurrent_connections", limit: limits.connectionCount)
            }
            var own: Address = counts.byAddress[address] ?? Address()
            if limits.connectionCountPerAddress >= 0, own.connectionCount >= limits.connectionCountPerAddress {
                return .refused(
                    setting: "native_transport_max_concurrent_connections_per_ip",
                    limit: limits.connectionCountPerAddress)
            }
            own.connectionCount += 1
            counts.total += 1
            counts.byAddress[address] = own
            return .admitted(SessionLoad(address: own.bytes, node: bytes, limits))
        }
    }

    func leave(_ address: [UInt8]) {
        counts.withLock { counts in
            counts.total -= 1
            guard var own = counts.byAddress[address] else { return }
            own.connectionCount -= 1
            counts.byAddress[address] = own.connectionCount == 0 ? nil : own
        }
    }

    package var connectionCount: Int { counts.withLock { $0.total } }
}

/// What one connection has under way, and through it its address and the node.
///
/// Others see it in steps, so that a request of the usual size touches no memory that shards share.
struct SessionLoad {
    private let address: ClientLoad.Bytes
    private let node: ClientLoad.Bytes
    private let addressLimit: Int
    private let nodeLimit: Int
    private let step: Int
    private(set) var byteCount = 0
    private var shown = 0

    private static let largestStep = 32 << 10

    init(address: ClientLoad.Bytes, node: ClientLoad.Bytes, _ limits: SessionLimits) {
        self.address = address
        self.node = node
        self.addressLimit = limits.inFlightByteCount
        self.nodeLimit = limits.nodeInFlightByteCount
        self.step = min(SessionLoad.largestStep, min(addressLimit, nodeLimit) / 64)
    }

    mutating func add(_ count: Int) {
        byteCount += count
        let difference: Int = byteCount - shown
        if difference > step || difference < -step { show() }
    }

    private mutating func show() {
        let difference: Int = byteCount - shown
        address.count.add(difference, ordering: .relaxed)
        node.count.add(difference, ordering: .relaxed)
        shown = byteCount
    }

    /// Whether no more should be taken on. A connection that has nothing under way may always have one request, so that
    /// a request larger than a limit is served when nothing else is.
    var isFull: Bool { exceeds(1) }

    /// Whether a connection that was slowed down should still be.
    var isStillFull: Bool { exceeds(2) }

    private func exceeds(_ divisor: Int) -> Bool {
        let hidden: Int = byteCount - shown
        return address.count.load(ordering: .relaxed) + hidden > addressLimit / divisor
            || node.count.load(ordering: .relaxed) + hidden > nodeLimit / divisor
    }

    /// Takes what is under way out of the sums of the others: the connection is gone.
    mutating func leave() {
        byteCount = 0
        show()
    }
}
