import Administration
import DataModel

/// Streams of data between nodes, in the form of Cassandra's `netstats`.
enum StreamText {
    /// Those that run.
    static func running(_ json: JSONValue, isHuman: Bool, withPorts: Bool) -> String {
        let streams: [JSONValue] = json["streams"].elements.filter { !$0["is_done"].isTrue }
        if streams.isEmpty { return "Not sending any streams.\n" }
        return operations(streams, isHuman: isHuman, withPorts: withPorts)
    }

    /// Those that run and the last ones that have ended.
    static func all(_ json: JSONValue, isHuman: Bool, withPorts: Bool) -> String {
        let streams: [JSONValue] = json["streams"].elements
        if streams.isEmpty { return "There are no streams.\n" }
        return operations(streams, isHuman: isHuman, withPorts: withPorts)
    }

    /// One block for each operation, in it one for each node.
    private static func operations(_ streams: [JSONValue], isHuman: Bool, withPorts: Bool) -> String {
        var text = ""
        for stream in firsts(streams, by: ["id", "title"]) {
            text += "\(stream["title"].plainText) \(stream["id"].plainText)\n"
            let own: [JSONValue] = streams.filter { $0["id"] == stream["id"] && $0["title"] == stream["title"] }
            for peer in firsts(own, by: ["peer", "port"]) {
                text += "    /\(address(peer, withPorts))\n"
                let withPeer: [JSONValue] = own.filter { $0["peer"] == peer["peer"] && $0["port"] == peer["port"] }
                for (direction, words) in [("receiving", ("Receiving", "received")), ("sending", ("Sending", "sent"))] {
                    let sessions: [JSONValue] = withPeer.filter { $0["direction"] == .string(direction) }
                    if !sessions.isEmpty { text += Sum(sessions).text(words.0, words.1, isHuman: isHuman) }
                }
            }
        }
        return text
    }

    private static func firsts(_ streams: [JSONValue], by names: [String]) -> [JSONValue] {
        var found: [JSONValue] = []
        for stream in streams where !found.contains(where: { known in names.allSatisfy { known[$0] == stream[$0] } }) {
            found.append(stream)
        }
        return found
    }

    private static func address(_ stream: JSONValue, _ withPorts: Bool) -> String {
        Endpoint(stream["peer"].plainText, stream["port"].integerValue)
            .text(withPort: withPorts && stream["port"] != .null)
    }

    /// What goes one way between two nodes for one operation; a node that sends has a stream for each table.
    private struct Sum {
        var files = 0
        var fileTotal = 0
        var bytes = 0
        var byteTotal = 0
        var rows = 0
        var tables = 0
        var tableTotal = 0
        var names: [String] = []
        var failure: String?
        var isDone = true

        init(_ sessions: [JSONValue]) {
            for session in sessions {
                files += session["files"].integerValue
                fileTotal += session["files_total"].integerValue
                bytes += session["bytes"].integerValue
                byteTotal += session["bytes_total"].integerValue
                rows += session["rows"].integerValue
                tables += session["tables"].integerValue
                tableTotal += session["tables_total"].integerValue
                if session["table"] != .null { names.append(session["table"].plainText) }
                if session["failure"] != .null { failure = session["failure"].plainText }
                if !session["is_done"].isTrue { isDone = false }
            }
        }

        func text(_ verb: String, _ participle: String, isHuman: Bool) -> String {
            // How much there is, is known only about; more of it may have come.
            let wholeBytes: Int = max(bytes, byteTotal)
            let wholeFiles: Int = max(files, fileTotal)
            func size(_ count: Int) -> String { isHuman ? FigureText.byteCount(count) : "\(count) bytes" }
            var text: String = "        \(verb) \(wholeFiles) files, \(size(wholeBytes)) total. "
            text += "Already \(participle) \(files) files (\(percent(files, wholeFiles))), "
            text += "\(size(bytes)) total (\(percent(bytes, wholeBytes)))\n"
            var details: [String] = []
            if tableTotal > 0 { details.append("\(tables) of \(tableTotal) tables") }
            if rows > 0 { details.append("\(rows) rows \(participle)") }
            details += names
            if isDone { details.append(failure ?? "done") }
            return details.isEmpty ? text : text + "            \(details.joined(separator: ", "))\n"
        }

        private func percent(_ part: Int, _ whole: Int) -> String {
            FigureText.percent(whole == 0 ? 1 : Double(part) / Double(whole), places: 2)
        }
    }
}
