/// One search for an order of operations, with what it has tried.
///
/// The calls and returns of the history form a list, in the order of their moments. A call can be placed next as long as
/// no return stands before it; a placed operation leaves the list and comes back when the search turns around.
struct OrderSearch<Model: SequentialModel> {
    private struct Entry {
        /// The operation, by its index in the history.
        let operation: Int
        let isReturn: Bool
        var previous: Int
        var next: Int
    }

    /// Which operations were placed, and the state that they led to.
    private struct Attempt: Hashable {
        let placed: [UInt64]
        let state: Model.State
    }

    private struct Step {
        let entry: Int
        let formerState: Model.State
    }

    private let history: [Operation<Model.Action, Model.Result>]
    private let stepLimit: Int
    /// Index 0 is the head of the list and 1 its end; neither belongs to an operation.
    private var entries: [Entry] = []
    /// For each operation the entry of its return; 0 when it has none.
    private var returns: [Int]
    private var state: Model.State
    private var placed: [UInt64]
    private var unplacedKnownCount: Int
    private var stack: [Step] = []
    private var tried: Set<Attempt> = []
    private var stepCount = 0
    private(set) var hasGivenUp = false

    init(_ history: [Operation<Model.Action, Model.Result>], from initial: Model.State, stepLimit: Int) {
        self.history = history
        self.stepLimit = stepLimit
        self.state = initial
        self.placed = Array(repeating: 0, count: history.count / 64 + 1)
        self.returns = Array(repeating: 0, count: history.count)
        self.unplacedKnownCount = history.count { !$0.isUnknown }
        makeList()
    }

    private mutating func makeList() {
        var moments: [(moment: Moment, operation: Int, isReturn: Bool)] = []
        for (index, operation) in history.enumerated() {
            moments.append((operation.invoked, index, false))
            if let returned = operation.returned { moments.append((returned, index, true)) }
        }
        moments.sort { $0.moment < $1.moment }
        entries.append(Entry(operation: -1, isReturn: false, previous: 0, next: moments.isEmpty ? 1 : 2))
        entries.append(Entry(operation: -1, isReturn: true, previous: moments.count + 1, next: 1))
        for (place, item) in moments.enumerated() {
            let index: Int = place + 2
            let isLast: Bool = place == moments.count - 1
            entries.append(
                Entry(
                    operation: item.operation, isReturn: item.isReturn, previous: place == 0 ? 0 : index - 1,
                    next: isLast ? 1 : index + 1))
            if item.isReturn { returns[item.operation] = index }
        }
    }

    /// Looks for orders of all operations whose result is known, with any of the others.
    ///
    /// - Parameter isEnough: is shown the state that an order leads to; the search ends when it says so.
    /// - Returns: whether the search was ended by that.
    mutating func run(_ isEnough: (Model.State) -> Bool) -> Bool {
        if unplacedKnownCount == 0, isEnough(state) { return true }
        var index: Int = entries[0].next
        while true {
            if entries[index].isReturn {
                guard let step = stack.popLast() else { return false }
                takeBack(step)
                index = entries[step.entry].next
                continue
            }
            stepCount += 1
            if stepCount > stepLimit {
                hasGivenUp = true
                return false
            }
            if place(index) {
                if unplacedKnownCount == 0, isEnough(state) { return true }
                index = entries[0].next
            } else {
                index = entries[index].next
            }
        }
    }

    /// Places an operation next, if its result fits and the same has not been tried.
    private mutating func place(_ index: Int) -> Bool {
        let number: Int = entries[index].operation
        let operation: Operation<Model.Action, Model.Result> = history[number]
        guard let next = Model.after(operation.action, on: state, telling: operation.result) else { return false }
        // An unknown operation that changes nothing here may as well not be placed.
        if operation.isUnknown, next == state { return false }
        placed[number / 64] |= 1 << UInt64(number % 64)
        guard tried.insert(Attempt(placed: placed, state: next)).inserted else {
            placed[number / 64] &= ~(1 << UInt64(number % 64))
            return false
        }
        stack.append(Step(entry: index, formerState: state))
        state = next
        if !operation.isUnknown { unplacedKnownCount -= 1 }
        unlink(index)
        if returns[number] != 0 { unlink(returns[number]) }
        return true
    }

    private mutating func takeBack(_ step: Step) {
        let number: Int = entries[step.entry].operation
        state = step.formerState
        placed[number / 64] &= ~(1 << UInt64(number % 64))
        if !history[number].isUnknown { unplacedKnownCount += 1 }
        // In the opposite order of their leaving, so that their neighbours are those of then.
        if returns[number] != 0 { relink(returns[number]) }
        relink(step.entry)
    }

    private mutating func unlink(_ index: Int) {
        let entry: Entry = entries[index]
        entries[entry.previous].next = entry.next
        entries[entry.next].previous = entry.previous
    }

    private mutating func relink(_ index: Int) {
        let entry: Entry = entries[index]
        entries[entry.previous].next = index
        entries[entry.next].previous = index
    }
}
