import Cluster
import Primitives
import Testing

/// Acceptors and proposals under a network that loses, repeats and reorders, with proposers that die in the middle and
/// voters that change with every epoch.
@Suite struct EpochModelTests {
    @Test(arguments: 0..<20)
    func noEpochIsEverDecidedTwice(_ block: UInt64) {
        for seed in (block * 100)..<(block * 100 + 100) {
            var model = EpochModel(seed: seed)
            model.run()
            #expect(model.conflict == nil, "seed \(seed): \(model.conflict ?? "")")
        }
    }

    @Test func theModelDecidesSomething() {
        var decided = 0
        var contended = 0
        var undecided = 0
        for seed: UInt64 in 0..<100 {
            var model = EpochModel(seed: seed)
            model.run()
            decided += model.chosen.count
            contended += model.contendedCount
            undecided += model.undecidedCount
        }
        #expect(decided > 200 && contended > 100, "\(decided) decided, \(contended) contended")
        #expect(undecided > 20, "\(undecided) found undecided")
    }
}

/// Nodes that only vote and propose. A node's log is a prefix of what has been chosen.
private struct EpochModel {
    private enum Message {
        case prepare(MetadataBallot, epoch: UInt64)
        case accept(AcceptedEdit)
        case reply(EpochAcceptor.Answer, asked: EpochProposal.Phase, ballot: MetadataBallot)
        case commit(MetadataEdit)
    }

    private struct Node {
        var log: [MetadataEdit] = []
        var acceptor = EpochAcceptor(epoch: 1)
        var proposal: EpochProposal?
        /// Whether the epoch of the proposal had been decided before it began.
        var isLate = false
        var round: UInt64 = 1
        var known: UInt64 { UInt64(log.count) }
    }

    private var generator: SeededGenerator
    private var nodes: [Node]
    private var flying: [(from: Int, to: Int, message: Message)] = []
    private(set) var chosen: [UInt64: MetadataEdit] = [:]
    private(set) var conflict: String?
    private(set) var contendedCount = 0
    private(set) var undecidedCount = 0
    private let lossRate: Int
    private var editCount: UInt64 = 0

    init(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        self.nodes = [Node](repeating: Node(), count: 3 + generator.below(4))
        self.lossRate = [4, 10, 1_000][generator.below(3)]
        self.generator = generator
    }

    /// Any function of the last edit will do, as long as all nodes compute the same.
    private func voters(after last: MetadataEdit?) -> [NodeID] {
        var generator = SeededGenerator(seed: last?.id.low ?? 0)
        let count: Int = [1, 3, 3, 5][generator.below(4)]
        var all: [Int] = Array(nodes.indices)
        var chosen: [Int] = []
        while chosen.count < count, !all.isEmpty { chosen.append(all.remove(at: generator.below(all.count))) }
        return chosen.sorted().map { node($0) }
    }

    mutating func run() {
        for _ in 0..<400 where conflict == nil {
            switch generator.below(10) {
            case 0: propose(generator.below(nodes.count))
            case 1 where generator.oneIn(4):
                // A proposer forgets what it was doing; what acceptors said is on disk.
                nodes[generator.below(nodes.count)].proposal = nil
            default: deliver()
            }
        }
    }

    private mutating func propose(_ index: Int) {
        let known: UInt64 = nodes[index].known
        editCount += 1
        let id = UUID(high: UInt64(index), low: editCount)
        let ballot = MetadataBallot(round: nodes[index].round, node: node(index), nonce: editCount)
        let edit = MetadataEdit(epoch: known + 1, id: id, changes: [])
        let proposal = EpochProposal(
            generator.oneIn(4) ? nil : edit, epoch: known + 1, ballot: ballot,
            voters: voters(after: nodes[index].log.last))
        nodes[index].proposal = proposal
        nodes[index].isLate = chosen[known + 1] != nil
        perform(proposal.start(), index, proposal)
    }

    private mutating func perform(_ actions: [EpochProposal.Action], _ index: Int, _ proposal: EpochProposal) {
        for action in actions {
            switch action {
            case .prepare(let ballot, let voters):
                for voter in voters { send(index, voter, .prepare(ballot, epoch: proposal.epoch)) }
            case .accept(let accepted, let voters):
                for voter in voters { send(index, voter, .accept(accepted)) }
            case .end(.chosen(let edit)):
                if let other = chosen[edit.epoch], other.id != edit.id {
                    conflict = "epoch \(edit.epoch) has \(other.id) and \(edit.id)"
                }
                chosen[edit.epoch] = edit
                learn(index, edit)
                for other in nodes.indices where other != index { send(index, node(other), .commit(edit)) }
                nodes[index].proposal = nil
            case .end(.overruled(let ballot)):
                contendedCount += 1
                nodes[index].round = ballot.round + 1
                nodes[index].proposal = nil
            case .end(.behind(let voter)):
                // A fetch: what the other knows, from its beginning.
                for edit in nodes[number(voter)].log { learn(index, edit) }
                nodes[index].proposal = nil
            case .end(.undecided):
                if nodes[index].isLate { conflict = "epoch \(proposal.epoch) is decided and was called undecided" }
                undecidedCount += 1
                nodes[index].proposal = nil
            case .end(.noMajority): nodes[index].proposal = nil
            }
        }
    }

    private func number(_ id: NodeID) -> Int { Int(id.uuid.low) }

    private mutating func learn(_ index: Int, _ edit: MetadataEdit) {
        guard edit.epoch == nodes[index].known + 1 else { return }
        nodes[index].log.append(edit)
        nodes[index].acceptor.decided(edit.epoch)
        nodes[index].round = 1
    }

    private mutating func send(_ from: Int, _ to: NodeID, _ message: Message) {
        flying.append((from, number(to), message))
    }

    private mutating func deliver() {
        guard !flying.isEmpty else { return }
        let place: Int = generator.below(flying.count)
        let (from, to, message) = flying[place]
        if !generator.oneIn(10) { flying.remove(at: place) }
        if generator.oneIn(lossRate) { return }
        let known: UInt64 = nodes[to].known
        let isVoter: Bool = voters(after: nodes[to].log.last).contains(node(to))
        switch message {
        case .prepare(let ballot, let epoch):
            if epoch == known + 1, !isVoter { return }
            let answer = nodes[to].acceptor.prepare(ballot, of: epoch, known: known)
            send(to, node(from), .reply(answer, asked: .preparing, ballot: ballot))
        case .accept(let accepted):
            if accepted.edit.epoch == known + 1, !isVoter { return }
            let answer = nodes[to].acceptor.accept(accepted, known: known)
            send(to, node(from), .reply(answer, asked: .accepting, ballot: accepted.ballot))
        case .reply(let answer, let asked, let ballot):
            guard var proposal = nodes[to].proposal, proposal.ballot == ballot else { return }
            let actions = proposal.received(.answer(answer), from: node(from), asked: asked)
            nodes[to].proposal = proposal
            perform(actions, to, proposal)
        case .commit(let edit): learn(to, edit)
        }
    }
}
