/// Knows what of a line is on the screen, and draws the line anew over it.
///
/// A pure value: it returns what to write to the terminal. A line that is longer than the screen is wide takes several
/// rows of it.
package struct LineScreen: Sendable {
    /// How many rows the cursor stands below the first row of the line.
    private var cursorRow = 0
    private var lastRow = 0

    package init() {}

    /// Draws a line and puts the cursor where it belongs.
    ///
    /// - Parameters:
    ///   - cursor: before which character of `text` the cursor stands.
    ///   - columns: how wide the screen is.
    package mutating func draw(prompt: String, text: [Character], cursor: Int, columns: Int) -> String {
        let width: Int = max(2, columns)
        var output: String = cursorRow > 0 ? "\u{1B}[\(cursorRow)A" : ""
        output += "\r\u{1B}[J" + prompt
        var place = (row: 0, column: 0)
        for character in prompt { LineScreen.advance(&place, DisplayWidth.of(character), width) }
        var cursorPlace = place
        for (index, character) in text.enumerated() {
            if index == cursor { cursorPlace = place }
            LineScreen.advance(&place, DisplayWidth.of(character), width)
        }
        if cursor >= text.count { cursorPlace = place }
        output += String(text)
        // At the right edge a terminal waits with the next row until another character comes.
        if place.column == width {
            output += "\r\n"
            place = (row: place.row + 1, column: 0)
        }
        if cursorPlace.column == width { cursorPlace = (row: cursorPlace.row + 1, column: 0) }
        if place.row > cursorPlace.row { output += "\u{1B}[\(place.row - cursorPlace.row)A" }
        output += "\r"
        if cursorPlace.column > 0 { output += "\u{1B}[\(cursorPlace.column)C" }
        cursorRow = cursorPlace.row
        lastRow = place.row
        return output
    }

    /// Leaves the line as it is and goes to the row below it.
    package mutating func finish() -> String {
        let down: Int = lastRow - cursorRow
        cursorRow = 0
        lastRow = 0
        return (down > 0 ? "\u{1B}[\(down)B" : "") + "\r\n"
    }

    /// Forgets what was drawn, after the screen was cleared.
    package mutating func forget() {
        cursorRow = 0
        lastRow = 0
    }

    private static func advance(_ place: inout (row: Int, column: Int), _ count: Int, _ width: Int) {
        if place.column + count > width { place = (row: place.row + 1, column: 0) }
        place.column += count
    }
}
