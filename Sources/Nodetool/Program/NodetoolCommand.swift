import Administration
package import DataModel

/// A word of the operator's tool: one of Cassandra's nodetool, with its meaning, or one that Martlet has besides.
package struct NodetoolCommand: Sendable, Equatable {
    /// A switch of one command, or an option with a value.
    package struct Option: Sendable {
        package let names: [String]
        /// What stands for the value in the help; nil for a switch.
        package let value: String?
        package let meaning: String

        init(_ names: [String], value: String? = nil, _ meaning: String) {
            self.names = names
            self.value = value
            self.meaning = meaning
        }
    }

    /// What a command comes to.
    typealias Work = @Sendable (NodetoolCall) async throws(AdminClientError) -> NodetoolOutput

    enum Action: Sendable {
        case ask(Work)
        /// There is nothing to be done, and why.
        case needless(String)
        /// It cannot be done, and why.
        case impossible(String)
    }

    package let name: String
    /// Other words for it.
    package let aliases: [String]
    /// What it does, as a line of the help.
    package let summary: String
    /// The operands as the help shows them.
    package let operands: String
    package let operandCounts: ClosedRange<Int>
    package let options: [Option]
    let action: Action

    init(
        _ name: String, aliases: [String] = [], _ summary: String, operands: String = "",
        _ operandCounts: ClosedRange<Int> = 0...0, options: [Option] = [], _ work: @escaping Work
    ) {
        self.name = name
        self.aliases = aliases
        self.summary = summary
        self.operands = operands
        self.operandCounts = operandCounts
        self.options = options
        self.action = .ask(work)
    }

    /// A command of Cassandra's that has nothing to do here, or cannot be done.
    init(_ name: String, _ action: Action) {
        self.name = name
        self.aliases = []
        self.operands = ""
        self.operandCounts = 0...1_000
        self.options = []
        self.action = action
        switch action {
        case .needless(let sentence), .impossible(let sentence): summary = sentence
        case .ask: summary = ""
        }
    }

    /// Whether it does anything.
    var isPresent: Bool { if case .ask = action { true } else { false } }

    package static func == (left: NodetoolCommand, right: NodetoolCommand) -> Bool { left.name == right.name }

    /// The command with its operands and options.
    package var usage: String {
        var usage: String = "nodetool [OPTIONS] " + name
        for option in options {
            usage += " [\(option.names.joined(separator: " | "))\(option.value.map { " \($0)" } ?? "")]"
        }
        return operands.isEmpty ? usage : usage + " " + operands
    }

    // MARK: All of them

    /// Those that do something, by name.
    package static let all: [NodetoolCommand] =
        (RingCommands.all + FileCommands.all + SnapshotCommands.all + StatisticsCommands.all + SettingCommands.all
        + SwitchCommands.all + RepairCommands.all + MembershipCommands.all).sorted { $0.name < $1.name }

    /// Those of Cassandra's that answer with a sentence, by name.
    package static let absent: [NodetoolCommand] = AbsentCommands.all.sorted { $0.name < $1.name }

    package static func named(_ name: String) -> NodetoolCommand? {
        all.first { $0.name == name || $0.aliases.contains(name) } ?? absent.first { $0.name == name }
    }
}

/// What a command shows.
package struct NodetoolOutput: Sendable {
    package var json: JSONValue
    package var text: String

    init(_ json: JSONValue, _ text: String) {
        self.json = json
        self.text = text
    }

    /// Of something that was done, and says nothing.
    static let done = NodetoolOutput(.object([]), "")
}

/// One command with what was given to it, and the node that it asks.
struct NodetoolCall: Sendable {
    let client: AdminClient
    let arguments: NodetoolArguments
    /// Where progress is told.
    let tell: @Sendable (String) -> Void

    var operands: [String] { arguments.operands }
    var withPorts: Bool { arguments.printsPorts }

    func has(_ name: String) -> Bool { arguments.flags.contains(name) }
    func value(_ name: String) -> String? { arguments.values.last { $0.name == name }?.value }
    func values(_ name: String) -> [String] { arguments.values.filter { $0.name == name }.map(\.value) }

    /// An answer as it is.
    func get(_ path: String, _ query: [HTTPRequest.Parameter] = []) async throws(AdminClientError) -> JSONValue {
        try await client.get(path, query, as: Document.self).json
    }

    @discardableResult
    func post(_ path: String, _ query: [HTTPRequest.Parameter] = []) async throws(AdminClientError) -> JSONValue {
        try await client.post(path, query)
    }

    /// Has the node do something that takes long, and waits for it.
    ///
    /// - Returns: what it has come to.
    func operate(
        _ path: String, _ query: [HTTPRequest.Parameter] = []
    ) async throws(AdminClientError) -> JSONValue {
        if has("--background") {
            return try await post(path, query + [HTTPRequest.Parameter("wait", "false")])
        }
        let tell: (@Sendable (String) -> Void)? = has("--progress") ? self.tell : nil
        let report: OperationReport = try await client.operate(path, query) { report in
            tell?(OperationText.line(report) + "\n")
        }
        guard report.state == .done else {
            throw .failed(report.reason ?? "It has ended with \(report.state.rawValue).")
        }
        return report.json
    }

    /// The options of all commands that take long.
    static let workOptions: [NodetoolCommand.Option] = [
        NodetoolCommand.Option(["--progress"], "Say on standard error how far it is."),
        NodetoolCommand.Option(["--background"], "Return at once; 'operations' shows how far it is."),
    ]
}

extension [HTTPRequest.Parameter] {
    /// The parameters that have a value.
    static func given(_ pairs: KeyValuePairs<String, String?>) -> [HTTPRequest.Parameter] {
        pairs.compactMap { name, value in value.map { HTTPRequest.Parameter(name, $0) } }
    }

    /// Several values of one parameter.
    static func many(_ name: String, _ values: some Sequence<String>) -> [HTTPRequest.Parameter] {
        values.map { HTTPRequest.Parameter(name, $0) }
    }

    /// A keyspace and then tables, as most commands take them.
    static func tables(_ operands: [String]) -> [HTTPRequest.Parameter] {
        .given(["keyspace": operands.first]) + .many("table", operands.dropFirst())
    }
}
