import Environment
import Primitives

/// How one direction between two machines behaves.
package struct LinkBehavior: Sendable {
    package var latency = SimulatedLatency(minimum: .microseconds(50), maximum: .microseconds(500))
    /// How often a piece of the stream, instead of arriving, resets its connection; from 0 to 1.
    package var resetProbability: Double = 0
    /// How often the stream is cut into smaller pieces than were sent, from 0 to 1.
    package var splitProbability: Double = 0.25
    /// How many bytes of one connection may be under way or unread at the other side.
    package var windowByteCount = 256 * 1_024

    package init() {}
}

/// The net of a world: who listens where, what is under way, which directions are cut.
///
/// Streams keep their order; between streams the seed decides. A cut direction holds what is sent until it is healed, as
/// TCP does, and connection attempts through it time out.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class SimulatedNetwork: @unchecked Sendable {
    /// How directions behave for which nothing else is set.
    package var defaultLink = LinkBehavior()

    var generator: SeededGenerator
    private var ports: [MachinePort] = []
    private var links: [Direction: LinkBehavior] = [:]
    private var cuts: Set<Direction> = []
    /// Live connections, both ends, in the order in which they were made.
    private var connections: [SimulatedConnection] = []
    /// Ends whose other side lost its power: they are reset when that machine is back.
    private var widows: [(machine: Int, end: SimulatedConnection)] = []

    private struct Direction: Hashable {
        let source: Int
        let target: Int
    }

    init(generator: SeededGenerator) {
        self.generator = generator
    }

    // MARK: For tests

    /// Sets how bytes travel from one machine to another.
    package func setLink(from source: SimulatedMachine, to target: SimulatedMachine, _ behavior: LinkBehavior) {
        links[Direction(source: source.number, target: target.number)] = behavior
    }

    /// Changes one thing about how bytes travel from one machine to another.
    package func changeLink(
        from source: SimulatedMachine, to target: SimulatedMachine, _ change: (inout LinkBehavior) -> Void
    ) {
        let direction = Direction(source: source.number, target: target.number)
        change(&links[direction, default: defaultLink])
    }

    /// Cuts one direction.
    package func cut(from source: SimulatedMachine, to target: SimulatedMachine) {
        cuts.insert(Direction(source: source.number, target: target.number))
    }

    /// Cuts both directions between every machine of one side and every machine of the other.
    package func split(_ left: [SimulatedMachine], from right: [SimulatedMachine]) {
        for a in left {
            for b in right {
                cut(from: a, to: b)
                cut(from: b, to: a)
            }
        }
    }

    /// Heals one direction.
    package func heal(from source: SimulatedMachine, to target: SimulatedMachine) {
        cuts.remove(Direction(source: source.number, target: target.number))
        for connection in connections { connection.pump() }
    }

    /// Heals everything.
    package func healAll() {
        cuts = []
        for connection in connections { connection.pump() }
    }

    /// Resets every connection between two machines.
    package func resetConnections(between a: SimulatedMachine, and b: SimulatedMachine) {
        for connection in connections where connection.joins(a.number, b.number) { connection.reset() }
    }

    /// How many connections are open, counted at both ends.
    package var openEndCount: Int { connections.count }

    // MARK: What the parts of the world use

    func attach(_ port: MachinePort) {
        if port.number <= ports.count {
            ports[port.number - 1] = port
        } else {
            ports.append(port)
        }
    }

    /// The machine that has an address, seen from `origin`.
    func port(of host: [UInt8], from origin: MachinePort) -> MachinePort? {
        if let port = ports.first(where: { $0.host == host }) { return port }
        return MachinePort.isLoopback(host) || MachinePort.isAny(host) ? ports[origin.number - 1] : nil
    }

    func port(named name: String) -> MachinePort? {
        ports.first { $0.name == name }
    }

    func link(from source: Int, to target: Int) -> LinkBehavior {
        links[Direction(source: source, target: target)] ?? defaultLink
    }

    func isCut(from source: Int, to target: Int) -> Bool {
        cuts.contains(Direction(source: source, target: target))
    }

    func latencyNanoseconds(from source: Int, to target: Int) -> UInt64 {
        let latency: SimulatedLatency = link(from: source, to: target).latency
        let low: UInt64 = latency.minimum.wholeNanoseconds
        let high: UInt64 = max(low, latency.maximum.wholeNanoseconds)
        let drawn: UInt64 = high > low ? low + generator.next(upperBound: high - low) : low
        return generator.chance(latency.slowProbability) ? drawn + latency.slowDuration.wholeNanoseconds : drawn
    }

    func add(_ connection: SimulatedConnection) {
        connections.append(connection)
    }

    func remove(_ connection: SimulatedConnection) {
        connections.removeAll { $0 === connection }
        widows.removeAll { $0.end === connection }
    }

    /// Ends every connection of a process that is gone; the other sides hear of it unless the machine fell silent.
    func processEnded(on machine: Int, silently: Bool) {
        ports[machine - 1].state = silently ? .off : .killed
        ports[machine - 1].listeners = []
        for connection in connections where connection.localMachine == machine {
            let other: SimulatedConnection? = connection.peer
            connection.vanish()
            guard let other, other.localMachine != machine else { continue }
            if silently { widows.append((machine, other)) } else { other.resetLater() }
        }
    }

    /// A machine that is back resets what its former process left open.
    func processStarted(on machine: Int) {
        for widow in widows where widow.machine == machine { widow.end.resetLater() }
        widows.removeAll { $0.machine == machine }
    }
}

/// Where one process of a machine is attached to the net: its address and who listens on it.
final class MachinePort {
    enum State {
        case running, killed, off
    }

    let number: Int
    let name: String
    let host: [UInt8]
    var state: State = .running
    var listeners: [SimulatedListener] = []
    private var lastFreePort: UInt16 = 49_151

    init(number: Int, name: String, host: [UInt8]) {
        self.number = number
        self.name = name
        self.host = host
    }

    /// A port that nobody listens on.
    func freePort() -> UInt16 {
        repeat {
            lastFreePort = lastFreePort == .max ? 49_152 : lastFreePort + 1
        } while listeners.contains { $0.address.port == lastFreePort }
        return lastFreePort
    }

    static func isLoopback(_ host: [UInt8]) -> Bool {
        host.count == 4 ? host[0] == 127 : host.dropLast().allSatisfy { $0 == 0 } && host.last == 1
    }

    static func isAny(_ host: [UInt8]) -> Bool {
        !host.isEmpty && host.allSatisfy { $0 == 0 }
    }
}

/// Somebody who listens in a world.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class SimulatedListener: Listener, @unchecked Sendable {
    let address: SocketAddress
    let makeHandler: @Sendable (any Loop) -> any ConnectionHandler
    private let loops: [any Loop]
    private let port: MachinePort
    private var accepted = 0

    init(
        address: SocketAddress, loops: [any Loop], port: MachinePort,
        makeHandler: @escaping @Sendable (any Loop) -> any ConnectionHandler
    ) {
        self.address = address
        self.loops = loops
        self.port = port
        self.makeHandler = makeHandler
    }

    func close() async {
        port.listeners.removeAll { $0 === self }
    }

    /// The loop of the next connection: each in turn.
    func nextLoop() -> any Loop {
        accepted += 1
        return loops[(accepted - 1) % loops.count]
    }

    /// Whether nobody else can listen at `other` at the same time.
    func occupies(_ other: SocketAddress) -> Bool {
        address.port == other.port
            && (address.host == other.host || MachinePort.isAny(address.host) || MachinePort.isAny(other.host))
    }

    /// Whether somebody who asks for `host` means this listener.
    func accepts(_ host: [UInt8]) -> Bool {
        MachinePort.isAny(address.host) || address.host == host
            || (MachinePort.isLoopback(host) && MachinePort.isLoopback(address.host))
    }
}
