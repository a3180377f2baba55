package import Environment
import Primitives

/// One life of the process on a machine, from its start to its end.
///
/// What a process holds (loops, open files, connections) refers to its life; when that is over, nothing it awaits
/// returns and nothing it does has an effect.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class ProcessLife: @unchecked Sendable {
    let loopLanes: [Lane]
    let diskLane: Lane
    let clockLane: Lane
    private(set) var isOver = false

    init(loopCount: Int, world: SimulatedWorld) {
        self.loopLanes = (0..<loopCount).map { _ in world.makeLane() }
        self.diskLane = world.makeLane()
        self.clockLane = world.makeLane()
    }

    var lanes: [Lane] { loopLanes + [diskLane, clockLane] }

    func end(in world: SimulatedWorld) {
        isOver = true
        world.drop(lanes)
    }
}

/// A machine of a world: a disk that outlives its processes, a clock, an address, and the process that runs now.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class SimulatedMachine: @unchecked Sendable {
    package enum State: Sendable {
        case running
        /// The process is gone; the system is up and refuses connections.
        case killed
        /// The machine is gone; nothing answers.
        case off
    }

    package let name: String
    package let disk: SimulatedDisk
    package let time: SimulatedTime
    /// What the running process was given. After `restart()` it is another.
    package private(set) var host: Host
    package private(set) var state: State = .running
    /// Whether the process stands still, as after SIGSTOP.
    package private(set) var isSuspended = false
    /// The machine's place in its world, from 1.
    package let number: Int
    let hostAddress: [UInt8]
    private unowned let world: SimulatedWorld
    private let loopCount: Int
    private var life: ProcessLife

    init(world: SimulatedWorld, number: Int, name: String, loopCount: Int, host: [UInt8]) {
        require(loopCount > 0, "a machine has at least one loop")
        self.world = world
        self.number = number
        self.name = name
        self.loopCount = loopCount
        self.hostAddress = host
        let life = ProcessLife(loopCount: loopCount, world: world)
        self.life = life
        let disk = SimulatedDisk(world: world, generator: world.makeGenerator())
        self.disk = disk
        let time = SimulatedTime(world: world, lane: life.clockLane)
        self.time = time
        let port = MachinePort(number: number, name: name, host: host)
        world.network.attach(port)
        self.host = SimulatedMachine.makeHost(world: world, life: life, disk: disk, time: time, port: port)
        disk.stopMachine = { [weak self] in self?.stopByDisk() }
    }

    /// Where the machine can be reached.
    package func address(port: UInt16) -> SocketAddress {
        SocketAddress(host: hostAddress, port: port)
    }

    /// Ends the process as SIGKILL does: what it wrote stays, its connections are reset, its locks are free.
    package func kill() {
        guard state == .running else { return }
        world.record("kill \(name)")
        endProcess()
        state = .killed
        world.network.processEnded(on: number, silently: false)
    }

    /// Takes the power away: the process ends, what the disk had not made durable is kept, lost or torn by the seed, and
    /// other machines hear nothing.
    package func crash() {
        guard state != .off else { return }
        world.record("crash \(name)")
        if state == .running { endProcess() }
        state = .off
        world.network.processEnded(on: number, silently: true)
        disk.losePower()
    }

    /// Lets the process stand still, as SIGSTOP does: its connections stay and its timers pile up.
    package func suspend() {
        guard state == .running, !isSuspended else { return }
        world.record("suspend \(name)")
        isSuspended = true
        world.suspend(life.lanes)
    }

    /// Lets the process run on, as SIGCONT does.
    package func resume() {
        guard isSuspended else { return }
        world.record("resume \(name)")
        isSuspended = false
        world.resume(life.lanes)
    }

    /// Starts the next process, on the same disk; a running one is killed first.
    @discardableResult
    package func restart() -> Host {
        if state == .running { kill() }
        world.record("restart \(name)")
        let next = ProcessLife(loopCount: loopCount, world: world)
        life = next
        time.move(to: next.clockLane)
        let port = MachinePort(number: number, name: name, host: hostAddress)
        world.network.attach(port)
        world.network.processStarted(on: number)
        host = SimulatedMachine.makeHost(world: world, life: next, disk: disk, time: time, port: port)
        state = .running
        return host
    }

    private func stopByDisk() {
        world.crashedMachineNames.append(name)
        crash()
    }

    private func endProcess() {
        isSuspended = false
        life.end(in: world)
        disk.processEnded()
    }

    private static func makeHost(
        world: SimulatedWorld, life: ProcessLife, disk: SimulatedDisk, time: SimulatedTime, port: MachinePort
    ) -> Host {
        var loops: [any Loop] = []
        for (index, lane) in life.loopLanes.enumerated() {
            loops.append(SimulatedLoop(index: index, lane: lane, world: world))
        }
        return Host(
            time: time, entropy: SeededEntropy(generator: world.makeGenerator()),
            disk: MountedDisk(disk: disk, life: life, world: world),
            network: MachineNetwork(port: port, life: life, world: world),
            background: SimulatedBackground(world: world), loops: loops)
    }
}

extension SimulatedWorld {
    /// Takes the power of a machine away.
    package func crash(_ machine: SimulatedMachine) {
        machine.crash()
    }

    /// Kills the process of a machine.
    package func kill(_ machine: SimulatedMachine) {
        machine.kill()
    }
}
