package import DataModel

/// A piece of work that a node does for an operator: how far it is, or how it has ended.
package struct OperationReport: Report {
    package enum State: String, Sendable, CaseIterable {
        case running, done, failed, stopped
    }

    package var id: String
    package var name: String
    package var state: State
    /// How much is done of how much, in `unit`; both 0 while that is not known.
    package var done: Int
    package var total: Int
    package var unit: String
    package var startedMilliseconds: Int
    package var durationMilliseconds: Int
    /// What is being done now.
    package var activity: String?
    /// Why it has failed.
    package var reason: String?
    /// What it has come to.
    package var result: JSONValue

    package init(
        id: String, name: String, state: State, done: Int = 0, total: Int = 0, unit: String = "bytes",
        startedMilliseconds: Int = 0, durationMilliseconds: Int = 0, activity: String? = nil, reason: String? = nil,
        result: JSONValue = .null
    ) {
        self.id = id
        self.name = name
        self.state = state
        self.done = done
        self.total = total
        self.unit = unit
        self.startedMilliseconds = startedMilliseconds
        self.durationMilliseconds = durationMilliseconds
        self.activity = activity
        self.reason = reason
        self.result = result
    }

    package init(json: JSONValue) throws(MalformedReport) {
        let record = try JSONRecord(json)
        guard let state = State(rawValue: try record.text("state")) else {
            throw MalformedReport("The state of an operation is unknown.")
        }
        self.init(
            id: try record.text("id"), name: try record.text("operation"), state: state,
            done: try record.integer("done"), total: try record.integer("total"), unit: try record.text("unit"),
            startedMilliseconds: try record.integer("started_ms"),
            durationMilliseconds: try record.integer("duration_ms"), activity: try record.optionalText("activity"),
            reason: try record.optionalText("error"), result: record["result"] ?? .null)
    }

    package var json: JSONValue {
        .record([
            "id": .string(id), "operation": .string(name), "state": .string(state.rawValue), "done": .integer(done),
            "total": .integer(total), "unit": .string(unit), "started_ms": .integer(startedMilliseconds),
            "duration_ms": .integer(durationMilliseconds), "activity": .optional(activity),
            "error": .optional(reason), "result": result,
        ])
    }
}

/// A report that is passed on as it is.
package struct Document: Report {
    package var json: JSONValue

    package init(_ json: JSONValue) {
        self.json = json
    }

    package init(json: JSONValue) throws(MalformedReport) {
        self.json = json
    }
}
