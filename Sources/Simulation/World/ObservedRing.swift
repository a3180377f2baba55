import DataModel

/// Who holds what, computed from the tokens that nodes show and by nothing of what nodes compute themselves.
package struct ObservedRing {
    /// Tokens in their order, each with the number of its node.
    private let tokens: [(token: Int64, node: Int)]
    private let factor: Int

    /// - Parameters:
    ///   - tokens: of each node, by its number.
    ///   - factor: how many replicas SimpleStrategy makes.
    package init(_ tokens: [(token: Int64, node: Int)], factor: Int) {
        self.tokens = tokens.sorted { $0.token < $1.token }
        self.factor = factor
    }

    /// The numbers of the nodes that hold the partition with an `int` as its key, ascending.
    package func replicas(of partition: Int) -> [Int] {
        let number = UInt32(bitPattern: Int32(truncatingIfNeeded: partition))
        let key: [UInt8] = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
        let token: Int64 = Token(ofKey: key.span.bytes).value
        let first: Int = tokens.firstIndex { $0.token >= token } ?? 0
        var nodes: [Int] = []
        for step in tokens.indices where nodes.count < factor {
            let node: Int = tokens[(first + step) % tokens.count].node
            if !nodes.contains(node) { nodes.append(node) }
        }
        return nodes.sorted()
    }
}
