/// What an object does when operations are done on it one after another.
package protocol SequentialModel: Sendable {
    associatedtype State: Hashable & Sendable
    associatedtype Action: Sendable
    associatedtype Result: Sendable

    /// The state after an action.
    ///
    /// - Parameter result: what the client was told; nil when it was told nothing, so that any result fits.
    /// - Returns: nil when the action does not have this result in this state.
    static func after(_ action: Action, on state: State, telling result: Result?) -> State?

    /// Whether an action that told this has left the state as it was.
    static func isObservation(_ action: Action, _ result: Result) -> Bool
}

/// A row with one value, changed by lightweight transactions and read at SERIAL. The state is the value; nil for no row.
package enum ConditionalRegister: SequentialModel {
    package enum Action: Sendable, Equatable, CustomStringConvertible {
        case insertIfNotExists(Int64)
        case compareAndSet(expected: Int64, new: Int64)
        case deleteIfExists
        case read

        package var description: String {
            switch self {
            case .insertIfNotExists(let value): "INSERT \(value) IF NOT EXISTS"
            case .compareAndSet(let expected, let new): "UPDATE to \(new) IF \(expected)"
            case .deleteIfExists: "DELETE IF EXISTS"
            case .read: "SELECT at SERIAL"
            }
        }
    }

    package enum Result: Sendable, Equatable, CustomStringConvertible {
        case applied
        /// The condition did not hold; what the row held.
        case notApplied(Int64?)
        case value(Int64?)

        package var description: String {
            switch self {
            case .applied: "applied"
            case .notApplied(let value): "not applied, " + (value.map { "the row holds \($0)" } ?? "there is no row")
            case .value(let value): value.map { "\($0)" } ?? "no row"
            }
        }
    }

    package static func after(_ action: Action, on state: Int64?, telling result: Result?) -> Int64?? {
        let (next, told): (Int64?, Result)
        switch action {
        case .insertIfNotExists(let value):
            (next, told) = state == nil ? (value, .applied) : (state, .notApplied(state))
        case .compareAndSet(let expected, let new):
            (next, told) = state == expected ? (new, .applied) : (state, .notApplied(state))
        case .deleteIfExists:
            (next, told) = state == nil ? (nil, .notApplied(nil)) : (nil, .applied)
        case .read:
            (next, told) = (state, .value(state))
        }
        if let result, result != told { return .none }
        return .some(next)
    }

    package static func isObservation(_ action: Action, _ result: Result) -> Bool { result != .applied }
}
