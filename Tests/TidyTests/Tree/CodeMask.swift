/// Blanks comments and the contents of string literals, so that rules about code do not see words about code.
///
/// Lines and columns stay where they are. Code inside an interpolation stays code.
struct CodeMask {
    private enum Place {
        case code(depth: Int)
        case string(isMultiline: Bool, hashes: Int)
    }

    /// What a comment, a string or the end of an interpolation begins with.
    private static let beginnings: [UInt8] = Array("/#\"()".utf8)
    /// What an escape or the end of a string begins with.
    private static let endings: [UInt8] = Array("\"\\\n".utf8)

    private let input: [UInt8]
    private var output: [UInt8]
    private var offset = 0
    /// Where the reader is: strings hold interpolations, which hold code, which may hold strings.
    private var places: [Place] = [.code(depth: 0)]

    static func code(of text: String) -> String {
        var mask = CodeMask(input: Array(text.utf8), output: [])
        mask.run()
        return String(decoding: mask.output, as: UTF8.self)
    }

    private mutating func run() {
        output.reserveCapacity(input.count)
        while offset < input.count {
            switch places[places.count - 1] {
            case .code(let depth): readCode(depth)
            case .string(let isMultiline, let hashes): readString(isMultiline, hashes)
            }
        }
    }

    private func isNext(_ text: String) -> Bool {
        input[offset...].starts(with: text.utf8)
    }

    private mutating func keep(_ count: Int) {
        output += input[offset..<min(offset + count, input.count)]
        offset += count
    }

    private mutating func blank(_ count: Int) {
        for _ in 0..<count where offset < input.count {
            output.append(input[offset] == UInt8(ascii: "\n") ? UInt8(ascii: "\n") : UInt8(ascii: " "))
            offset += 1
        }
    }

    private mutating func readCode(_ depth: Int) {
        // Most bytes begin nothing; they are kept without a closer look.
        if !CodeMask.beginnings.contains(input[offset]) {
            keep(1)
        } else if isNext("//") {
            while offset < input.count, input[offset] != UInt8(ascii: "\n") { blank(1) }
        } else if isNext("/*") {
            readBlockComment()
        } else if let hashes = hashesOfString() {
            keep(hashes)
            let isMultiline: Bool = isNext("\"\"\"")
            keep(isMultiline ? 3 : 1)
            places.append(.string(isMultiline: isMultiline, hashes: hashes))
        } else {
            if input[offset] == UInt8(ascii: "(") { places[places.count - 1] = .code(depth: depth + 1) }
            if input[offset] == UInt8(ascii: ")") {
                // The parenthesis that ends an interpolation.
                places.removeLast()
                if depth > 0 || places.isEmpty { places.append(.code(depth: depth - 1)) }
            }
            keep(1)
        }
    }

    private mutating func readBlockComment() {
        var depth = 0
        repeat {
            if isNext("/*") {
                depth += 1
                blank(2)
            } else if isNext("*/") {
                depth -= 1
                blank(2)
            } else {
                blank(1)
            }
        } while depth > 0 && offset < input.count
    }

    /// How many hashes stand before the quote of a string that starts here; nil when none starts.
    private func hashesOfString() -> Int? {
        var end = offset
        while end < input.count, input[end] == UInt8(ascii: "#") { end += 1 }
        guard end < input.count, input[end] == UInt8(ascii: "\"") else { return nil }
        return end - offset
    }

    private mutating func readString(_ isMultiline: Bool, _ hashes: Int) {
        guard CodeMask.endings.contains(input[offset]) else {
            blank(1)
            return
        }
        let marks = String(repeating: "#", count: hashes)
        let end: String = (isMultiline ? "\"\"\"" : "\"") + marks
        if isNext(end) {
            keep(end.utf8.count)
            places.removeLast()
        } else if isNext("\\" + marks + "(") {
            blank(1 + hashes)
            keep(1)
            places.append(.code(depth: 0))
        } else if isNext("\\" + marks) {
            blank(2 + hashes)
        } else if !isMultiline, input[offset] == UInt8(ascii: "\n") {
            // A quote that was none, such as one in a regular expression: the line ends it.
            places.removeLast()
        } else {
            blank(1)
        }
    }
}
