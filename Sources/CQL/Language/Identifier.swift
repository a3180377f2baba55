import DataModel

/// How names are written so that they read back as themselves.
package enum Identifier {
    /// The name as a statement spells it: in double quotes unless it is a lower-case word that is not reserved.
    package static func quotedIfNeeded(_ name: String) -> String {
        isPlain(name) ? name : quoted(name)
    }

    /// The name in double quotes, with the quotes inside it doubled.
    package static func quoted(_ name: String) -> String {
        CQLIdentifier.quoted(name)
    }

    /// The text as a string literal: in single quotes, with the quotes inside it doubled.
    package static func stringLiteral(_ text: String) -> String {
        quoted(text, by: "'")
    }

    /// Whether the grammar keeps the word for itself, whatever the case of its letters.
    package static func isReserved(_ word: String) -> Bool {
        reservedWords.contains(word.lowercased())
    }

    private static let reservedWords: Set<String> = {
        var words: Set<String> = ["columnfamily"]
        for keyword in Keyword.allCases where keyword.use == .reserved { words.insert(keyword.rawValue) }
        return words
    }()

    private static func isPlain(_ name: String) -> Bool {
        guard let first = name.utf8.first, first >= UInt8(ascii: "a"), first <= UInt8(ascii: "z") else { return false }
        let isWord = name.utf8.allSatisfy { byte in
            Lexer.isDigit(byte) || byte == UInt8(ascii: "_") || (byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z"))
        }
        // `true` and `false` are constants wherever a name could stand, and an old spelling reads as another word.
        guard isWord, name != "true", name != "false", name != "columnfamilies" else { return false }
        return !reservedWords.contains(name)
    }

    private static func quoted(_ text: String, by quote: Unicode.Scalar) -> String {
        var result = String(Character(quote))
        for scalar in text.unicodeScalars {
            if scalar == quote { result.unicodeScalars.append(quote) }
            result.unicodeScalars.append(scalar)
        }
        result.unicodeScalars.append(quote)
        return result
    }
}
