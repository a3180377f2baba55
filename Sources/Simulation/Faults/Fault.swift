/// One thing that goes wrong, for a while. Nodes are named by their index.
package enum Fault: Sendable, Equatable {
    /// The power of machines goes; when it is over they are started again.
    case powerLoss(nodes: [Int])
    /// The process gets SIGKILL, and is started again.
    case kill(node: Int)
    /// An operator stops the node, and starts it again.
    case stop(node: Int)
    /// The process stands still, as after SIGSTOP.
    case pause(node: Int)
    /// Some nodes and the others do not hear each other.
    case split(nodes: [Int])
    /// What one node sends to another does not arrive; the other way it does.
    case oneWay(from: Int, to: Int)
    /// A split that comes and goes.
    case flapping(node: Int, periodMilliseconds: Int)
    /// The connections between nodes break again and again, with whatever is under way in them.
    case breakingConnections(nodes: [Int], probability: Double)
    /// Everything between two nodes takes long, and differently long.
    case slowLink(Int, Int, milliseconds: Int)
    /// Single messages between nodes are lost, come twice, or come late.
    case unreliableMessages(probability: Double)
    /// The wall clock of a machine jumps.
    case clockJump(node: Int, milliseconds: Int)
    /// The wall clock of a machine runs too fast or too slowly.
    case clockDrift(node: Int, partsPerMillion: Int)
    /// Operations of a disk take long now and then.
    case slowDisk(node: Int, milliseconds: Int)
    /// Operations of a disk fail; when it is over the node is started again.
    case failingDisk(node: Int, probability: Double)
    /// A disk has no room; when it is over the node is started again.
    case fullDisk(node: Int)
    /// What is in memory is written to disk.
    case flush(node: Int)
    /// All that is on disk of a table is merged.
    case compact(node: Int)

    /// Whether nodes end: what they only remember in memory is then lost.
    package var endsNodes: Bool {
        switch self {
        case .powerLoss, .kill, .stop, .failingDisk, .fullDisk: true
        default: false
        }
    }
}

extension Fault: CustomStringConvertible {
    package var description: String {
        func names(_ nodes: [Int]) -> String { nodes.map { "node\($0 + 1)" }.joined(separator: ",") }
        switch self {
        case .powerLoss(let nodes): return "power loss of \(names(nodes))"
        case .kill(let node): return "kill of \(names([node]))"
        case .stop(let node): return "stop of \(names([node]))"
        case .pause(let node): return "pause of \(names([node]))"
        case .split(let nodes): return "split of \(names(nodes)) from the others"
        case .oneWay(let source, let target): return "cut from \(names([source])) to \(names([target]))"
        case .flapping(let node, let period): return "flapping split of \(names([node])) every \(period) ms"
        case .breakingConnections(let nodes, let probability):
            return "breaking connections of \(names(nodes)), \(probability) of pieces"
        case .slowLink(let a, let b, let milliseconds):
            return "slow link between \(names([a])) and \(names([b])), up to \(milliseconds) ms"
        case .unreliableMessages(let probability): return "messages lost, doubled and late, \(probability) of them"
        case .clockJump(let node, let milliseconds): return "clock of \(names([node])) jumps by \(milliseconds) ms"
        case .clockDrift(let node, let parts): return "clock of \(names([node])) runs off by \(parts) ppm"
        case .slowDisk(let node, let milliseconds): return "slow disk of \(names([node])), up to \(milliseconds) ms"
        case .failingDisk(let node, let probability):
            return "failing disk of \(names([node])), \(probability) of operations"
        case .fullDisk(let node): return "full disk of \(names([node]))"
        case .flush(let node): return "flush of \(names([node]))"
        case .compact(let node): return "compaction of \(names([node]))"
        }
    }
}
