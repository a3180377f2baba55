/// Stops the process when a rule of the program itself does not hold: carrying on would spread wrong data.
///
/// For states that no input can cause, in release builds too. What bytes from outside can cause is thrown instead.
@inlinable
@inline(__always)
public func require(
    _ rule: @autoclosure () -> Bool, _ text: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line
) {
    if !rule() { ruleBroken(text(), file: file, line: line) }
}

/// Runs a whole-structure check in debug builds and in the simulator only.
@inlinable
@inline(__always)
public func expensively(_ check: () -> Void) {
    #if EXPENSIVE_CHECKS
    check()
    #endif
}

@inline(never)
@usableFromInline
func ruleBroken(_ text: String, file: StaticString, line: UInt) -> Never {
    fatalError("broken rule: \(text)", file: file, line: line)
}
