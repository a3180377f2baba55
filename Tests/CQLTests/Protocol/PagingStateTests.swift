import CQL
import Primitives
import Testing

@Suite struct PagingStateTests {
    @Test func statesComeBack() throws {
        for (key, mark) in [([UInt8](), [UInt8]()), ([1, 2, 3], []), ([UInt8](repeating: 7, count: 70_000), [9])] {
            let state = PagingState(
                partitionKey: key, rowMark: mark, remaining: Int(Int32.max), remainingInPartition: 0)
            let bytes = state.encoded
            let read = try PagingState(decoding: bytes.span.bytes)
            #expect(read == state)
        }
    }

    @Test func everythingElseIsRefusedInCassandrasWords() {
        #expect(PagingState.invalid.message == "Invalid value for the paging state")
        let sound = PagingState(partitionKey: [1, 2, 3], rowMark: [4], remaining: 10, remainingInPartition: 5).encoded
        func isRefused(_ bytes: [UInt8]) -> Bool {
            do {
                _ = try PagingState(decoding: bytes.span.bytes)
                return false
            } catch {
                return error == PagingState.invalid
            }
        }
        #expect(isRefused([]))
        for count in 0..<sound.count { #expect(isRefused(Array(sound[..<count]))) }
        for index in sound.indices {
            var damaged = sound
            damaged[index] ^= 0x10
            #expect(isRefused(damaged))
        }
        // Another format with a right checksum.
        var writer = ByteWriter()
        writer.write([2, 0, 0, 0, 0])
        let checksum = Checksum.crc32c(writer.span)
        writer.write(checksum)
        let other = writer.array()
        #expect(isRefused(other))
    }
}
