/// A key as a person means it.
package enum Key: Equatable, Sendable {
    case character(Character)
    case enter, tab, backspace, delete, escape
    case left, right, up, down, home, end, wordLeft, wordRight
    case killToEnd, killToStart, killWordBack, killWordForward, yank, transpose
    case interrupt, endOfInput, search, clearScreen, cancelSearch
    /// A sequence that means nothing to us.
    case unknown
}

/// Turns the bytes that a terminal sends into keys: UTF-8, control characters, and the escape sequences of xterm.
struct KeyDecoder {
    private enum Place {
        case ground
        /// Behind the Escape character.
        case escape
        /// Inside of `ESC [ … letter`.
        case sequence
        /// Behind `ESC O`.
        case shortSequence
        /// Inside of a character of several bytes.
        case character(missing: Int)
    }

    /// A sequence is at most this long; a longer one is noise.
    private static let sequenceLimit: Int = 32

    private var place: Place = .ground
    private var bytes: [UInt8] = []

    /// Takes a byte; nil while a key is not complete.
    mutating func feed(_ byte: UInt8) -> Key? {
        switch place {
        case .ground: return start(byte)
        case .escape: return behindEscape(byte)
        case .shortSequence:
            place = .ground
            return KeyDecoder.arrow(byte, modifier: nil)
        case .sequence:
            bytes.append(byte)
            if byte >= 0x40, byte <= 0x7E {
                place = .ground
                return finishSequence()
            }
            if bytes.count > KeyDecoder.sequenceLimit {
                place = .ground
                return .unknown
            }
            return nil
        case .character(let missing):
            guard byte & 0xC0 == 0x80 else {
                // The character is broken off; the byte begins something else.
                place = .ground
                return start(byte)
            }
            bytes.append(byte)
            if missing > 1 {
                place = .character(missing: missing - 1)
                return nil
            }
            place = .ground
            return String(validating: bytes, as: UTF8.self)?.first.map { .character($0) } ?? .unknown
        }
    }

    private mutating func start(_ byte: UInt8) -> Key? {
        switch byte {
        case 0x1B:
            place = .escape
            return nil
        case 0x20..<0x7F: return .character(Character(Unicode.Scalar(byte)))
        case 0xC2...0xDF: return begin(byte, missing: 1)
        case 0xE0...0xEF: return begin(byte, missing: 2)
        case 0xF0...0xF4: return begin(byte, missing: 3)
        default: return KeyDecoder.control(byte)
        }
    }

    private mutating func begin(_ byte: UInt8, missing: Int) -> Key? {
        bytes = [byte]
        place = .character(missing: missing)
        return nil
    }

    private static func control(_ byte: UInt8) -> Key {
        switch byte {
        case 0x01: .home
        case 0x02: .left
        case 0x03: .interrupt
        case 0x04: .endOfInput
        case 0x05: .end
        case 0x06: .right
        case 0x07: .cancelSearch
        case 0x08, 0x7F: .backspace
        case 0x09: .tab
        case 0x0A, 0x0D: .enter
        case 0x0B: .killToEnd
        case 0x0C: .clearScreen
        case 0x0E: .down
        case 0x10: .up
        case 0x12: .search
        case 0x14: .transpose
        case 0x15: .killToStart
        case 0x17: .killWordBack
        case 0x19: .yank
        default: .unknown
        }
    }

    private mutating func behindEscape(_ byte: UInt8) -> Key? {
        place = .ground
        switch byte {
        case UInt8(ascii: "["):
            bytes = []
            place = .sequence
            return nil
        case UInt8(ascii: "O"):
            place = .shortSequence
            return nil
        case 0x1B: return .escape
        case UInt8(ascii: "b"), UInt8(ascii: "B"): return .wordLeft
        case UInt8(ascii: "f"), UInt8(ascii: "F"): return .wordRight
        case UInt8(ascii: "d"), UInt8(ascii: "D"): return .killWordForward
        case 0x08, 0x7F: return .killWordBack
        default: return .unknown
        }
    }

    private func finishSequence() -> Key {
        guard let last = bytes.last else { return .unknown }
        let numbers: [Substring] = String(decoding: bytes.dropLast(), as: UTF8.self)
            .split(separator: ";", omittingEmptySubsequences: false)
        if last == UInt8(ascii: "~") {
            switch numbers.first {
            case "1", "7": return .home
            case "3": return .delete
            case "4", "8": return .end
            default: return .unknown
            }
        }
        return KeyDecoder.arrow(last, modifier: numbers.count > 1 ? numbers[1] : nil)
    }

    /// - Parameter modifier: `3` for Alt and `5` for Control, with which arrows move by words.
    private static func arrow(_ letter: UInt8, modifier: Substring?) -> Key {
        let movesByWord: Bool = modifier == "3" || modifier == "5"
        return switch letter {
        case UInt8(ascii: "A"): .up
        case UInt8(ascii: "B"): .down
        case UInt8(ascii: "C"): movesByWord ? .wordRight : .right
        case UInt8(ascii: "D"): movesByWord ? .wordLeft : .left
        case UInt8(ascii: "H"): .home
        case UInt8(ascii: "F"): .end
        default: .unknown
        }
    }
}
