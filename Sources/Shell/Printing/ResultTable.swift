/// Rows under the names of their columns, drawn as cqlsh draws them.
///
///      id | name
///     ----+-------
///       1 |  anna
package struct ResultTable: Sendable {
    package var names: [StyledText]
    package var rows: [[StyledText]]

    package init(names: [StyledText], rows: [[StyledText]]) {
        self.names = names
        self.rows = rows
    }

    /// The table with values aligned to the right.
    ///
    /// - Parameters:
    ///   - hasHeader: whether the names are drawn; later pages go without.
    ///   - hasLastBlank: whether an empty line ends it, as on a terminal.
    package func drawn(hasHeader: Bool, hasLastBlank: Bool) -> String {
        var widths: [Int] = names.map(\.width)
        for row in rows {
            for (index, value) in row.enumerated() where index < widths.count {
                widths[index] = max(widths[index], value.width)
            }
        }
        var text = ""
        if hasHeader {
            let header: String = zip(names, widths).map { $0.leftAligned(to: $1) }.joined(separator: " | ")
            text += " " + ResultTable.withoutLastBlanks(header) + "\n"
            text += "-" + widths.map { String(repeating: "-", count: $0) }.joined(separator: "-+-") + "-\n"
        }
        for row in rows {
            text += " " + zip(row, widths).map { $0.rightAligned(to: $1) }.joined(separator: " | ") + "\n"
        }
        return hasLastBlank || rows.isEmpty ? text + "\n" : text
    }

    /// One block for each row, one line for each column.
    ///
    /// - Parameter firstNumber: the number of the first row here.
    package func drawnExpanded(firstNumber: Int) -> String {
        if rows.isEmpty { return drawn(hasHeader: true, hasLastBlank: true) }
        let nameWidth: Int = names.map(\.width).max() ?? 0
        let valueWidth: Int = rows.joined().map(\.width).max() ?? 0
        let line: String =
            "-" + String(repeating: "-", count: nameWidth) + "-+-" + String(repeating: "-", count: valueWidth) + "-\n"
        var text = ""
        for (index, row) in rows.enumerated() {
            text += "@ Row \(firstNumber + index)\n" + line
            for (name, value) in zip(names, row) {
                text += " " + name.leftAligned(to: nameWidth) + " | " + value.styled + "\n"
            }
            text += "\n"
        }
        return text
    }

    private static func withoutLastBlanks(_ text: String) -> Substring {
        var text = Substring(text)
        while text.hasSuffix(" ") { text = text.dropLast() }
        return text
    }
}

/// Names in as many columns as a line has room for, read from top to bottom.
package enum NameColumns {
    package static func drawn(_ names: [String], lineWidth: Int = 80) -> String {
        if names.isEmpty { return "<empty>\n" }
        let widths: [Int] = names.map { DisplayWidth.of($0) }
        for rowCount in 1...names.count {
            let columnCount: Int = (names.count + rowCount - 1) / rowCount
            var columnWidths: [Int] = []
            for column in 0..<columnCount {
                let first: Int = column * rowCount
                columnWidths.append(widths[first..<min(first + rowCount, names.count)].max() ?? 0)
            }
            let total: Int = columnWidths.reduce(0, +) + 2 * (columnCount - 1)
            guard total <= lineWidth || rowCount == names.count else { continue }
            return (0..<rowCount).map { row in
                line(row, rowCount, names, widths, columnWidths)
            }.joined()
        }
        return ""
    }

    private static func line(
        _ row: Int, _ rowCount: Int, _ names: [String], _ widths: [Int], _ columnWidths: [Int]
    ) -> String {
        var parts: [String] = []
        for (column, width) in columnWidths.enumerated() {
            let index: Int = column * rowCount + row
            guard index < names.count else { break }
            parts.append(names[index] + String(repeating: " ", count: width - widths[index]))
        }
        return parts.joined(separator: "  ") + "\n"
    }
}
