package import Primitives

/// A fault, when it begins and how long it lasts.
package struct FaultEvent: Sendable, Equatable, CustomStringConvertible {
    package let startMilliseconds: Int
    package let durationMilliseconds: Int
    package let fault: Fault

    package init(startMilliseconds: Int, durationMilliseconds: Int, fault: Fault) {
        self.startMilliseconds = startMilliseconds
        self.durationMilliseconds = durationMilliseconds
        self.fault = fault
    }

    package var description: String {
        "\(startMilliseconds) ms, for \(durationMilliseconds) ms: \(fault)"
    }
}

/// What goes wrong in a run, and when: a value that follows from a seed.
package struct FaultPlan: Sendable, Equatable {
    package let events: [FaultEvent]

    package init(_ events: [FaultEvent]) {
        self.events = events.sorted { $0.startMilliseconds < $1.startMilliseconds }
    }

    /// Whether every node lives through it.
    package var endsNodes: Bool { events.contains { $0.fault.endsNodes } }

    /// How long something may be under way that clients have given up: as long as the longest of the faults that make
    /// things late, and as requests take.
    package var settlingMilliseconds: Int {
        let late: [Int] = events.map { event in
            switch event.fault {
            case .pause, .split, .oneWay, .flapping, .slowDisk, .failingDisk, .fullDisk, .slowLink:
                event.durationMilliseconds
            default: 0
            }
        }
        return 4_000 + (late.max() ?? 0)
    }

    /// Draws a plan. A plan is about some kinds of faults and not about others, so that a run shows what comes of a few
    /// of them together and clients still get something done.
    package static func drawn(
        _ generator: inout SeededGenerator, nodeCount: Int, lengthMilliseconds: Int
    ) -> FaultPlan {
        var kinds: [Kind] = Kind.allCases
        kinds.shuffle(using: &generator)
        // A third of the plans leave all processes alive: then nothing that is only in memory may be lost.
        let isGentle: Bool = generator.oneIn(3)
        if isGentle { kinds.removeAll { $0.endsNodes } }
        if nodeCount == 1 { kinds.removeAll { $0.needsOthers } }
        kinds = Array(kinds.prefix(2 + generator.below(3)))
        var events: [FaultEvent] = []
        for _ in 0..<(4 + generator.below(8)) {
            let kind: Kind = kinds[generator.below(kinds.count)]
            let duration: Int = 200 + generator.below(generator.oneIn(3) ? 6_000 : 2_000)
            let start: Int = generator.below(max(1, lengthMilliseconds - duration))
            events.append(
                FaultEvent(
                    startMilliseconds: start, durationMilliseconds: duration,
                    fault: kind.fault(&generator, nodeCount: nodeCount)))
        }
        for _ in 0..<(2 + generator.below(6)) {
            let node: Int = generator.below(nodeCount)
            let start: Int = generator.below(lengthMilliseconds)
            let fault: Fault = generator.oneIn(2) ? .flush(node: node) : .compact(node: node)
            events.append(FaultEvent(startMilliseconds: start, durationMilliseconds: 0, fault: fault))
        }
        return FaultPlan(events)
    }

    private enum Kind: CaseIterable {
        case powerLoss, wholePowerLoss, kill, stop, pause, split, oneWay, flapping, breaking, slowLink, unreliable
        case clockJump, clockDrift, slowDisk, failingDisk, fullDisk

        var endsNodes: Bool {
            switch self {
            case .powerLoss, .wholePowerLoss, .kill, .stop, .failingDisk, .fullDisk: true
            default: false
            }
        }

        /// Whether it is about what is between nodes.
        var needsOthers: Bool {
            switch self {
            case .split, .oneWay, .flapping, .breaking, .slowLink, .unreliable: true
            default: false
            }
        }

        func fault(_ generator: inout SeededGenerator, nodeCount: Int) -> Fault {
            let node: Int = generator.below(nodeCount)
            let other: Int = (node + 1 + generator.below(max(1, nodeCount - 1))) % nodeCount
            switch self {
            case .powerLoss: return .powerLoss(nodes: [node])
            case .wholePowerLoss: return .powerLoss(nodes: Array(0..<nodeCount))
            case .kill: return .kill(node: node)
            case .stop: return .stop(node: node)
            case .pause: return .pause(node: node)
            case .split: return .split(nodes: Kind.someNodes(&generator, nodeCount))
            case .oneWay: return .oneWay(from: node, to: other)
            case .flapping: return .flapping(node: node, periodMilliseconds: 50 + generator.below(800))
            case .breaking:
                return .breakingConnections(
                    nodes: Kind.someNodes(&generator, nodeCount), probability: 0.02 + 0.02 * Double(generator.below(5)))
            case .slowLink: return .slowLink(node, other, milliseconds: 5 + generator.below(400))
            case .unreliable: return .unreliableMessages(probability: 0.02 + 0.02 * Double(generator.below(5)))
            case .clockJump:
                let size: Int = generator.oneIn(3) ? 60_000 : 2_000
                return .clockJump(node: node, milliseconds: generator.below(size * 2 + 1) - size)
            case .clockDrift: return .clockDrift(node: node, partsPerMillion: generator.below(200_001) - 100_000)
            case .slowDisk: return .slowDisk(node: node, milliseconds: 10 + generator.below(1_500))
            case .failingDisk: return .failingDisk(node: node, probability: 0.05 + 0.1 * Double(generator.below(5)))
            case .fullDisk: return .fullDisk(node: node)
            }
        }

        /// Some of the nodes, ascending; never all, when there are several.
        private static func someNodes(_ generator: inout SeededGenerator, _ nodeCount: Int) -> [Int] {
            var nodes: [Int] = Array(0..<nodeCount)
            nodes.shuffle(using: &generator)
            return Array(nodes.prefix(1 + generator.below(max(1, nodeCount / 2)))).sorted()
        }
    }
}
