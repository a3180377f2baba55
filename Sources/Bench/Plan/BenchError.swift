/// Why a benchmark could not be run, in one sentence.
package struct BenchError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
