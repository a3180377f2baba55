import CQL
import DataModel
import Primitives

/// Functions between dates, timestamps and time-based identifiers.
enum TimeConversion {
    static let millisecondsPerDay: Int64 = 86_400_000

    static func floorModulo(_ value: Int64, _ by: Int64) -> Int64 {
        let rest: Int64 = value % by
        return rest < 0 ? rest + by : rest
    }

    static func floorQuotient(_ value: Int64, _ by: Int64) -> Int64 {
        // The smallest values of all have no multiple below them: they wrap, as everything out of range does.
        (value &- floorModulo(value, by)) / by
    }

    /// A `date` counts days, with 1970-01-01 in the middle of its range.
    static func date(milliseconds: Int64) -> [UInt8] {
        let days: Int64 = floorQuotient(milliseconds, millisecondsPerDay)
        return SelectorEvaluation.int(Int32(bitPattern: UInt32(truncatingIfNeeded: days &+ (1 << 31))))
    }

    private static func number(_ bytes: [UInt8]) -> Int64 {
        bytes.reduce(Int64(0)) { $0 << 8 | Int64($1) }
    }

    private static func milliseconds(ofDate bytes: [UInt8]) -> Int64 {
        (number(bytes) - (1 << 31)) * millisecondsPerDay
    }

    /// The moment that a value of a type of moments stands for; nil for an identifier that has none.
    static func milliseconds(_ bytes: [UInt8], _ type: CQLType) -> Int64? {
        switch type {
        case .date: milliseconds(ofDate: bytes)
        case .timeuuid: milliseconds(ofIdentifier: bytes)
        default: number(bytes)
        }
    }

    /// A moment as a `date` or as a `timestamp`.
    static func bytes(milliseconds: Int64, _ type: CQLType) -> [UInt8] {
        type == .date ? date(milliseconds: milliseconds) : SelectorEvaluation.bigint(milliseconds)
    }

    private static func function(
        _ name: String, _ from: CQLType, _ to: CQLType, _ convert: @escaping @Sendable ([UInt8]) -> [UInt8]?
    ) -> ScalarFunction {
        ScalarFunction(name, [from], returns: to) { arguments, _ throws(CQLError) in
            guard let bytes = arguments[0], !bytes.isEmpty else { return nil }
            return convert(bytes)
        }
    }

    private static func milliseconds(ofIdentifier bytes: [UInt8]) -> Int64? {
        UUID(bytes.span.bytes)?.unixMilliseconds
    }

    static func toDate(_ name: String) -> [ScalarFunction] {
        [
            function(name, .timeuuid, .date) { milliseconds(ofIdentifier: $0).map(date) },
            function(name, .timestamp, .date) { date(milliseconds: number($0)) },
        ]
    }

    static func toTimestamp(_ name: String) -> [ScalarFunction] {
        [
            function(name, .timeuuid, .timestamp) { milliseconds(ofIdentifier: $0).map(SelectorEvaluation.bigint) },
            function(name, .date, .timestamp) { SelectorEvaluation.bigint(milliseconds(ofDate: $0)) },
        ]
    }

    static func toUnixTimestamp(_ name: String) -> [ScalarFunction] {
        [
            function(name, .timeuuid, .bigint) { milliseconds(ofIdentifier: $0).map(SelectorEvaluation.bigint) },
            function(name, .timestamp, .bigint) { $0 },
            function(name, .date, .bigint) { SelectorEvaluation.bigint(milliseconds(ofDate: $0)) },
        ]
    }

    /// The smallest or the greatest identifier of a moment, in the order of identifiers.
    static func bound(_ name: String, isUpper: Bool) -> ScalarFunction {
        function(name, .timestamp, .timeuuid) { bytes in
            let ticks: Int64 = number(bytes) &* 10_000 &+ UUID.unixEpoch &+ (isUpper ? 9_999 : 0)
            // Compared as signed bytes, 80 is the smallest and 7F the greatest.
            let low: UInt64 = isUpper ? 0x7F7F_7F7F_7F7F_7F7F : 0x8080_8080_8080_8080
            let bounded = UUID.timeBased(timestamp: UInt64(bitPattern: ticks), low: low)
            return UUID(high: bounded.high, low: low).bytes
        }
    }
}
