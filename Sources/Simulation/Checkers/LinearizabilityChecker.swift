/// Decides whether operations on one object could have been done one after another, each at some moment between its
/// invocation and its return, with the results that clients were told.
///
/// The search is Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993) with the memory of Lowe ("Testing
/// for Linearizability", 2017): a set of operations that led to the same state before is not tried again. Operations
/// with unknown outcome never return, so they may be placed anywhere after their invocation or nowhere.
package struct LinearizabilityChecker<Model: SequentialModel>: Sendable {
    package typealias History = [Operation<Model.Action, Model.Result>]

    package enum Verdict: Sendable {
        case linearizable
        /// There is no order. The history is a part of the given one for which there is none either.
        case violated(Counterexample)
        /// The search was given up after so much work.
        case undecided(stepCount: Int)
    }

    /// A short history without an order, and what the object may have held before it.
    package struct Counterexample: Sendable {
        package let before: [Model.State]
        package let history: History
    }

    /// How many placements of an operation a search may try.
    package let stepLimit: Int

    package init(stepLimit: Int = 2_000_000) {
        self.stepLimit = stepLimit
    }

    /// Judges the operations on one object, which holds `initial` at first.
    package func verdict(_ history: History, from initial: Model.State) -> Verdict {
        switch search(history, from: initial) {
        case .some(true): return .linearizable
        case nil: return .undecided(stepCount: stepLimit)
        case .some(false): return .violated(shortest(history, from: initial))
        }
    }

    /// Whether there is an order; nil when that is not known.
    private func search(_ history: History, from initial: Model.State) -> Bool? {
        var search = OrderSearch<Model>(history, from: initial, stepLimit: stepLimit)
        let isFound: Bool = search.run { _ in true }
        if isFound { return true }
        return search.hasGivenUp ? nil : false
    }

    // MARK: Shrinking

    private func shortest(_ history: History, from initial: Model.State) -> Counterexample {
        let ended: History = shortestPrefix(history, from: initial)
        let begun: Counterexample = latestStart(ended, from: initial)
        return withoutNeedlessObservations(begun)
    }

    /// Ends the history where it first has no order. A prefix of a history with an order has one, so this is a search
    /// by halves.
    private func shortestPrefix(_ history: History, from initial: Model.State) -> History {
        let ends: [Moment] = history.compactMap(\.returned).sorted()
        var low = 0
        var high: Int = ends.count - 1
        while low < high {
            let middle: Int = (low + high) / 2
            let prefix: History = history.compactMap { $0.asOf(ends[middle]) }
            if search(prefix, from: initial) == false { high = middle } else { low = middle + 1 }
        }
        guard ends.indices.contains(low) else { return history }
        let prefix: History = history.compactMap { $0.asOf(ends[low]) }
        return search(prefix, from: initial) == false ? prefix : history
    }

    /// Begins the history as late as possible: at a moment when nothing with a result was under way, with every state
    /// that the operations before may have left. What is unknown from before stays, as it may yet take effect.
    private func latestStart(_ history: History, from initial: Model.State) -> Counterexample {
        let whole = Counterexample(before: [initial], history: history)
        let known: History = history.filter { !$0.isUnknown }.sorted { $0.invoked < $1.invoked }
        var best: Counterexample = whole
        var lastReturn: Moment?
        for (index, operation) in known.enumerated() {
            if index > 0, let end = lastReturn, end < operation.invoked {
                let unknown: History = history.filter(\.isUnknown)
                let earlier: History = Array(known[..<index]) + unknown.filter { $0.invoked < end }
                var search = OrderSearch<Model>(earlier, from: initial, stepLimit: stepLimit / 8)
                var states: [Model.State] = []
                _ = search.run { state in
                    if !states.contains(state) { states.append(state) }
                    return false
                }
                guard !search.hasGivenUp, !states.isEmpty, states.count <= 4 else { continue }
                let later: History = Array(known[index...]) + unknown
                if states.allSatisfy({ self.search(later, from: $0) == false }) {
                    best = Counterexample(before: states, history: later)
                }
            }
            lastReturn = max(lastReturn ?? operation.invoked, operation.returned ?? operation.invoked)
        }
        return best
    }

    /// Drops operations without which there is still no order, as far as that is sound: dropping one that has changed
    /// nothing never makes a good history bad.
    private func withoutNeedlessObservations(_ example: Counterexample) -> Counterexample {
        var history: History = example.history.sorted { $0.invoked < $1.invoked }
        var index: Int = history.count - 1
        while index >= 0 {
            let operation: Operation<Model.Action, Model.Result> = history[index]
            var shorter: History = history
            shorter.remove(at: index)
            let isSound: Bool = operation.result.map { Model.isObservation(operation.action, $0) } ?? false
            if isSound, example.before.allSatisfy({ search(shorter, from: $0) == false }) { history = shorter }
            index -= 1
        }
        return Counterexample(before: example.before, history: history)
    }
}
