/// The characters that a file of comma-separated values is made with, each of one byte.
package struct CSVDialect: Equatable, Sendable {
    package var delimiter = UInt8(ascii: ",")
    package var quote = UInt8(ascii: "\"")
    package var escape = UInt8(ascii: "\\")

    package init() {}
}

/// Cuts bytes into the rows and fields of comma-separated values.
///
/// A field between quotes may hold delimiters and line ends; a quote inside of it is escaped or doubled. A pure value
/// that reads every byte once, however the bytes are cut into pieces.
package struct CSVReader {
    private enum Place {
        case fieldStart, plain, quoted, behindQuote, plainEscape, quotedEscape
    }

    private let dialect: CSVDialect
    private var bytes: [UInt8] = []
    private var offset = 0
    private var place: Place = .fieldStart
    private var field: [UInt8] = []
    private var row: [String] = []
    private var isFinished = false
    private var hasCarriageReturn = false
    /// Whether the row has had a quote, with which even an empty field is one.
    private var hasQuotes = false

    package init(_ dialect: CSVDialect) {
        self.dialect = dialect
    }

    package mutating func append(_ more: [UInt8]) {
        bytes.removeSubrange(..<offset)
        offset = 0
        bytes.append(contentsOf: more)
    }

    /// Says that nothing follows, so that a last row without a line end is a row too.
    package mutating func finish() {
        isFinished = true
    }

    /// Takes the next row that is not empty; nil when more bytes are needed.
    package mutating func next() -> [String]? {
        while offset < bytes.count {
            let byte: UInt8 = bytes[offset]
            offset += 1
            let isSecondHalf: Bool = hasCarriageReturn && byte == UInt8(ascii: "\n")
            hasCarriageReturn = false
            if !isSecondHalf, step(byte), let row = takeRow() { return row }
        }
        return isFinished ? takeRow() : nil
    }

    /// Looks at one byte; true when it ends a row.
    private mutating func step(_ byte: UInt8) -> Bool {
        switch place {
        case .fieldStart:
            place = .plain
            if byte == dialect.quote {
                place = .quoted
                hasQuotes = true
                return false
            }
            return stepInPlain(byte)
        case .plain: return stepInPlain(byte)
        case .quoted:
            if byte == dialect.escape, dialect.escape != dialect.quote {
                place = .quotedEscape
            } else if byte == dialect.quote {
                place = .behindQuote
            } else {
                field.append(byte)
            }
        case .behindQuote:
            // A doubled quote is one of the text; anything else has ended the quotes.
            if byte == dialect.quote {
                field.append(byte)
                place = .quoted
            } else {
                place = .plain
                return stepInPlain(byte)
            }
        case .plainEscape, .quotedEscape:
            field.append(byte)
            place = place == .plainEscape ? .plain : .quoted
        }
        return false
    }

    private mutating func stepInPlain(_ byte: UInt8) -> Bool {
        if byte == dialect.delimiter {
            endField()
        } else if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
            hasCarriageReturn = byte == UInt8(ascii: "\r")
            return true
        } else if byte == dialect.escape, dialect.escape != dialect.quote {
            place = .plainEscape
        } else {
            field.append(byte)
        }
        return false
    }

    private mutating func endField() {
        row.append(String(decoding: field, as: UTF8.self))
        field.removeAll(keepingCapacity: true)
        place = .fieldStart
    }

    private mutating func takeRow() -> [String]? {
        if row.isEmpty, field.isEmpty, !hasQuotes {
            place = .fieldStart
            return nil
        }
        endField()
        defer {
            row = []
            hasQuotes = false
        }
        return row
    }
}

/// Lays fields out as comma-separated values.
package struct CSVWriter {
    private let dialect: CSVDialect
    package private(set) var bytes: [UInt8] = []

    package init(_ dialect: CSVDialect) {
        self.dialect = dialect
    }

    package mutating func write(_ fields: [String]) {
        for (index, text) in fields.enumerated() {
            if index > 0 { bytes.append(dialect.delimiter) }
            write(text, isAlone: fields.count == 1)
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Takes what was written so far.
    package mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    private mutating func write(_ text: String, isAlone: Bool) {
        let needsQuotes: Bool =
            text.utf8.contains {
                $0 == dialect.delimiter || $0 == dialect.quote || $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r")
            } || isAlone && text.isEmpty
        if needsQuotes { bytes.append(dialect.quote) }
        for byte in text.utf8 {
            if byte == dialect.quote || byte == dialect.escape { bytes.append(dialect.escape) }
            bytes.append(byte)
        }
        if needsQuotes { bytes.append(dialect.quote) }
    }
}
