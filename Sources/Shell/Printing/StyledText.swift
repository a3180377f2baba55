/// The colours of the shell's output, as terminals are told them.
package enum TextColor: String, Sendable {
    case red = "\u{1B}[0;1;31m"
    case green = "\u{1B}[0;1;32m"
    case yellow = "\u{1B}[0;1;33m"
    case blue = "\u{1B}[0;1;34m"
    case magenta = "\u{1B}[0;1;35m"
    case cyan = "\u{1B}[0;1;36m"
    case white = "\u{1B}[0;1;37m"
    case darkMagenta = "\u{1B}[0;35m"

    static let reset: String = "\u{1B}[0m"

    package func around(_ text: String) -> String {
        rawValue + text + TextColor.reset
    }
}

/// A text, the same text with colours, and how many columns it takes on a screen.
package struct StyledText: Equatable, Sendable {
    package var plain: String
    /// The same as `plain` when colours are off.
    package var styled: String
    package var width: Int

    package init(_ text: String, color: TextColor?) {
        self.plain = text
        self.styled = color?.around(text) ?? text
        self.width = DisplayWidth.of(text)
    }

    init(plain: String, styled: String, width: Int) {
        self.plain = plain
        self.styled = styled
        self.width = width
    }

    /// The text with blanks behind it.
    func leftAligned(to columns: Int) -> String {
        styled + String(repeating: " ", count: max(0, columns - width))
    }

    /// The text with blanks before it.
    func rightAligned(to columns: Int) -> String {
        String(repeating: " ", count: max(0, columns - width)) + styled
    }
}
