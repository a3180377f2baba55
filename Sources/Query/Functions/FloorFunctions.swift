import CQL
import DataModel
import Primitives

/// `floor`: the start of the interval of a given length that a moment or a time of day lies in.
enum FloorFunctions {
    static let all: [ScalarFunction] = [
        ofMoment(.timestamp, [.timestamp, .duration]),
        ofMoment(.timestamp, [.timestamp, .duration, .timestamp]),
        ofMoment(.timestamp, [.timeuuid, .duration]),
        ofMoment(.timestamp, [.timeuuid, .duration, .timestamp]),
        ofMoment(.date, [.date, .duration]),
        ofMoment(.date, [.date, .duration, .date]),
        ofTime,
    ]

    private static func ofMoment(_ result: CQLType, _ types: [CQLType]) -> ScalarFunction {
        ScalarFunction("system.floor", types, returns: result) { arguments, _ throws(CQLError) in
            guard let bytes = arguments[0], let moment = try milliseconds(bytes, types[0]),
                let duration = try duration(arguments[1])
            else { return nil }
            var start: Int64 = 0
            if types.count == 3 {
                guard let bytes = arguments[2], let given = try milliseconds(bytes, types[2]) else { return nil }
                start = given
            }
            try check(duration, result)
            if start > moment {
                throw .invalid(message: "The floor function starting time is greater than the provided time")
            }
            return TimeConversion.bytes(milliseconds: duration.floor(moment, from: start), result)
        }
    }

    private static func check(_ duration: CQLDuration, _ type: CQLType) throws(CQLError) {
        if type == .date, !duration.hasDayPrecision {
            throw .invalid(
                message: "The floor on date values cannot be computed for the \(duration) duration as precision is "
                    + "below 1 day")
        }
        guard duration.hasMillisecondPrecision else {
            throw .invalid(
                message: "The floor cannot be computed for the \(duration) duration as precision is below 1 millisecond"
            )
        }
        try refuseNegative(duration)
    }

    private static func refuseNegative(_ duration: CQLDuration) throws(CQLError) {
        if duration.isNegative {
            throw .invalid(message: "Negative durations are not supported by the floor function")
        }
    }

    private static func milliseconds(_ bytes: [UInt8], _ type: CQLType) throws(CQLError) -> Int64? {
        bytes.isEmpty ? nil : TimeConversion.milliseconds(bytes, type)
    }

    private static func duration(_ bytes: [UInt8]?) throws(CQLError) -> CQLDuration? {
        guard let bytes, !bytes.isEmpty else { return nil }
        do throws(InvalidValue) {
            return try CQLDuration(bytes.span.bytes)
        } catch { throw .invalid(message: error.description) }
    }

    private static let ofTime = ScalarFunction("system.floor", [.time, .duration], returns: .time) {
        arguments, _ throws(CQLError) in
        guard let bytes = arguments[0], let duration = try duration(arguments[1]) else { return nil }
        try refuseNegative(duration)
        guard duration.months == 0, duration.days == 0, duration.nanoseconds <= TimeOfDay.nanosecondsPerDay else {
            throw .invalid(
                message: "For time values, the floor can only be computed for durations smaller that a day")
        }
        if duration.nanoseconds == 0 { return bytes }
        let time: Int64 = Number.integer(bytes)
        return SelectorEvaluation.bigint(time - time % duration.nanoseconds)
    }
}
