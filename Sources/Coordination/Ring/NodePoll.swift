import Cluster
import Environment

/// Asks several nodes the same thing at once.
struct NodePoll: Sendable {
    let host: Host
    let name: StaticString

    /// Those of `nodes` that say yes, in the order of `nodes`; whoever is not asked to the end has not.
    func agreeing(
        among nodes: [NodeID], _ question: @escaping @Sendable (NodeID) async -> Bool
    ) async -> [NodeID] {
        let questions: [(node: NodeID, work: LoopWork<Bool>)] = nodes.map { node in
            (node, LoopWork(name, on: host.loops[0], of: host) { await question(node) })
        }
        var agreeing: [NodeID] = []
        for question in questions {
            // Work that was not run to its end has no answer.
            if let isSo = try? await question.work.value(), isSo { agreeing.append(question.node) }
        }
        return agreeing
    }
}
