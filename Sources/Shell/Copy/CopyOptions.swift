/// The options of COPY, with cqlsh's names and defaults.
package struct CopyOptions: Equatable, Sendable {
    package var dialect = CSVDialect()
    package var hasHeader = false
    /// What stands for null.
    package var null = ""
    package var decimalSeparator = "."
    package var thousandsSeparator = ""
    package var trueText = "True"
    package var falseText = "False"
    /// How timestamps are written, as `strftime` has it; nil for ISO dates with milliseconds and zone.
    package var timeFormat: TimeFormat?
    /// Seconds between two reports of progress.
    package var reportSeconds = 0.25
    package var attemptLimit = 5

    // FROM.
    package var rowLimit: Int?
    package var skippedRows = 0
    package var skippedColumns: Set<String> = []
    package var parseErrorLimit: Int?
    package var insertErrorLimit: Int? = 1_000
    package var errorPath: String?
    package var timeToLive: Int?
    /// How many rows a second may be sent; nil for as many as the server takes.
    package var rateLimit: Int?
    /// How many partitions one request may write to.
    package var batchLimit = 10

    // TO.
    package var pageSize: Int32 = 1_000
    package var beginToken: String?
    package var endToken: String?
    /// How many rows a file takes before another is begun; nil for one file.
    package var rowsPerFile: Int?
    package var floatPrecision = 5
    package var doublePrecision = 12

    package init() {}

    /// Options that tell cqlsh how to divide its work, which we do otherwise.
    private static let withoutMeaning: Set<String> = [
        "numprocesses", "configfile", "ratefile", "chunksize", "minbatchsize", "preparedstatements",
        "pagetimeout", "maxrequests", "maxinflightmessages", "maxbackoffattempts", "maxpendingchunks",
        "requesttimeout", "childtimeout",
    ]

    mutating func set(
        _ name: String, _ value: String, _ direction: CopyCommand.Direction
    ) throws(CopyCommand.Fault) {
        if CopyOptions.withoutMeaning.contains(name) { return }
        switch name {
        case "delimiter": dialect.delimiter = try byte(name, value)
        case "quote": dialect.quote = try byte(name, value)
        case "escape": dialect.escape = try byte(name, value)
        case "header": hasHeader = value.lowercased() == "true"
        case "null": null = value
        case "decimalsep": decimalSeparator = value
        case "thousandssep": thousandsSeparator = value
        case "boolstyle": try setBooleans(value)
        case "datetimeformat": timeFormat = TimeFormat(value)
        case "maxattempts": attemptLimit = max(1, try number(name, value) ?? 1)
        case "reportfrequency":
            guard let seconds = Double(value), seconds >= 0 else { throw refusal(name, value) }
            reportSeconds = seconds
        case "encoding":
            guard ["utf8", "utf-8", "ascii"].contains(value.lowercased()) else { throw refusal(name, value) }
        default:
            let isKnown: Bool =
                direction == .to ? try setExport(name, value) : try setImport(name, value)
            if !isKnown { throw CopyCommand.Fault(message: "Unrecognized COPY options: \(name)") }
        }
    }

    private mutating func setExport(_ name: String, _ value: String) throws(CopyCommand.Fault) -> Bool {
        switch name {
        case "pagesize": pageSize = Int32(clamping: max(1, try number(name, value) ?? 1_000))
        case "begintoken": beginToken = try token(name, value)
        case "endtoken": endToken = try token(name, value)
        case "maxoutputsize": rowsPerFile = try number(name, value)
        case "floatprecision": floatPrecision = max(1, try number(name, value) ?? 5)
        case "doubleprecision": doublePrecision = max(1, try number(name, value) ?? 12)
        default: return false
        }
        return true
    }

    private mutating func setImport(_ name: String, _ value: String) throws(CopyCommand.Fault) -> Bool {
        switch name {
        case "maxrows": rowLimit = try number(name, value)
        case "skiprows": skippedRows = try number(name, value) ?? 0
        case "skipcols":
            skippedColumns = Set(value.split(separator: ",").map { String($0.filter { !$0.isWhitespace }) })
        case "maxparseerrors": parseErrorLimit = try number(name, value)
        case "maxinserterrors": insertErrorLimit = try number(name, value)
        case "errfile": errorPath = value
        case "ttl": timeToLive = try number(name, value)
        case "ingestrate": rateLimit = try number(name, value)
        case "maxbatchsize": batchLimit = max(1, try number(name, value) ?? 1)
        default: return false
        }
        return true
    }

    private mutating func setBooleans(_ value: String) throws(CopyCommand.Fault) {
        let styles: [String] = value.split(separator: ",", omittingEmptySubsequences: false).map {
            String($0.filter { !$0.isWhitespace })
        }
        guard styles.count == 2, styles[0] != styles[1], !styles[0].isEmpty, !styles[1].isEmpty else {
            throw CopyCommand.Fault(message: "Invalid boolean styles \(value)")
        }
        trueText = styles[0]
        falseText = styles[1]
    }

    /// A whole number; nil for −1, which means no limit.
    private func number(_ name: String, _ value: String) throws(CopyCommand.Fault) -> Int? {
        guard let number = Int(value) else { throw refusal(name, value) }
        return number < 0 ? nil : number
    }

    private func token(_ name: String, _ value: String) throws(CopyCommand.Fault) -> String? {
        if value.isEmpty { return nil }
        guard let number = Int64(value) else { throw refusal(name, value) }
        return String(number)
    }

    private func byte(_ name: String, _ value: String) throws(CopyCommand.Fault) -> UInt8 {
        if value == "\\t" { return UInt8(ascii: "\t") }
        guard value.utf8.count == 1, let byte = value.utf8.first else { throw refusal(name, value) }
        return byte
    }

    private func refusal(_ name: String, _ value: String) -> CopyCommand.Fault {
        CopyCommand.Fault(message: "Invalid value '\(value)' for COPY option \(name.uppercased())")
    }
}
