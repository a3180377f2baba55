/// A point in a history. The sequence orders everything that clients did and saw; the time is for whoever reads it.
package struct Moment: Comparable, Sendable {
    /// The place among all moments of the history: no two are the same.
    package let sequence: Int
    /// Virtual time since the world began.
    package let nanoseconds: UInt64

    package init(sequence: Int, nanoseconds: UInt64 = 0) {
        self.sequence = sequence
        self.nanoseconds = nanoseconds
    }

    package static func < (left: Moment, right: Moment) -> Bool { left.sequence < right.sequence }
    package static func == (left: Moment, right: Moment) -> Bool { left.sequence == right.sequence }
}

/// What one client asked for, and what it knows of the outcome.
///
/// An operation without a result may have taken effect at any time since it was sent, may do so later, or never. One
/// that was refused before anything was done is in no history.
package struct Operation<Action: Sendable, Result: Sendable>: Sendable {
    package let number: Int
    package let client: Int
    package let node: Int
    package let action: Action
    package let invoked: Moment
    package private(set) var returned: Moment?
    package private(set) var result: Result?

    package init(
        number: Int, client: Int, node: Int = 0, action: Action, invoked: Moment, returned: Moment? = nil,
        result: Result? = nil
    ) {
        self.number = number
        self.client = client
        self.node = node
        self.action = action
        self.invoked = invoked
        self.returned = returned
        self.result = result
    }

    /// Whether nobody knows what became of it.
    package var isUnknown: Bool { result == nil }

    package mutating func end(_ result: Result, at moment: Moment) {
        self.result = result
        returned = moment
    }

    /// The operation as it looked at `moment`: without a result that came later; nil when it was not yet sent.
    package func asOf(_ moment: Moment) -> Operation? {
        guard invoked <= moment else { return nil }
        guard let returned, returned > moment else { return self }
        return Operation(number: number, client: client, node: node, action: action, invoked: invoked)
    }
}

extension Operation: CustomStringConvertible {
    package var description: String {
        let end: String = returned.map { Operation.seconds($0.nanoseconds) } ?? "…"
        let outcome: String = result.map { "\($0)" } ?? "unknown"
        return "#\(number) client \(client) node \(node) \(Operation.seconds(invoked.nanoseconds)) to \(end): "
            + "\(action) → \(outcome)"
    }

    /// Seconds with six decimals.
    private static func seconds(_ nanoseconds: UInt64) -> String {
        let fraction = String(nanoseconds / 1_000 % 1_000_000)
        return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction + "s"
    }
}
