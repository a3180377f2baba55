/// Columns of text, each as wide as its widest cell.
package struct TextTable {
    private var rows: [[String]] = []
    private let separator: String

    package init(separator: String) {
        self.separator = separator
    }

    package mutating func add(_ cells: String...) {
        rows.append(cells)
    }

    package mutating func add(cells: [String]) {
        rows.append(cells)
    }

    /// How wide each column is.
    package var widths: [Int] {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return widths
    }

    /// The rows, each with a line feed.
    ///
    /// - Parameter widths: of columns that are aligned with those of other tables.
    package func text(widths: [Int]? = nil) -> String {
        let widths: [Int] = widths ?? self.widths
        return rows.map { row in
            let cells: [String] = row.enumerated().map { column, cell in
                // Nothing follows the last column, so that lines have no blanks at their ends.
                column == row.count - 1 ? cell : TextTable.padded(cell, widths[column])
            }
            return cells.joined(separator: separator) + "\n"
        }.joined()
    }

    package static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    package static func leftPadded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

/// Numbers for people.
package enum FigureText {
    /// With exactly so many decimal places.
    package static func decimal(_ value: Double, places: Int) -> String {
        guard value.isFinite, abs(value) < 1e9 else { return "?" }
        var scale: Int64 = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = Int64((abs(value) * Double(scale)).rounded())
        let sign: String = value < 0 && scaled > 0 ? "-" : ""
        if places == 0 { return "\(sign)\(scaled)" }
        let digits = String(scaled % scale)
        return "\(sign)\(scaled / scale)." + String(repeating: "0", count: places - digits.count) + digits
    }

    package static func percent(_ part: Double, places: Int) -> String {
        decimal(part * 100, places: places) + "%"
    }

    /// Bytes in the largest unit of which there is a whole one, with at most two decimal places: `306.77 KiB`.
    package static func byteCount(_ count: Int) -> String {
        var value = Double(count)
        var unit = "bytes"
        for larger in ["KiB", "MiB", "GiB", "TiB"] {
            guard value >= 1_024 else { break }
            value /= 1_024
            unit = larger
        }
        var digits: String = decimal(value, places: 2)
        while digits.hasSuffix("0") { digits.removeLast() }
        if digits.hasSuffix(".") { digits.removeLast() }
        return "\(digits) \(unit)"
    }
}
