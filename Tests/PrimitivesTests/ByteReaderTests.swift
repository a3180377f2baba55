import Primitives
import Testing

@Suite struct ByteReaderTests {
    private static let known: [(value: UInt64, form: [UInt8])] = [
        (0, [0]), (127, [0x7F]), (128, [0x80, 0x80]), (16383, [0xBF, 0xFF]), (16384, [0xC0, 0x40, 0x00]),
        (1 << 32, [0xF1, 0, 0, 0, 0]), (UInt64.max, [UInt8](repeating: 0xFF, count: 9)),
    ]

    @Test func variableLengthIntegersKeepTheirKnownForm() throws {
        for (value, form) in Self.known {
            var writer = ByteWriter()
            writer.writeUnsignedVint(value)
            let written: [UInt8] = writer.array()
            #expect(written == form)
            var reader = ByteReader(form.span.bytes)
            let read: UInt64 = try reader.readUnsignedVint()
            #expect(read == value)
            let left: Int = reader.remaining
            #expect(left == 0)
        }
    }

    @Test func everyPowerOfTwoSurvivesTheVariableLengthForm() throws {
        for shift in 0..<64 {
            for value in [UInt64(1) << UInt64(shift), UInt64(1) << UInt64(shift) &- 1] {
                var writer = ByteWriter()
                writer.writeUnsignedVint(value)
                writer.writeVint(Int64(bitPattern: value))
                writer.writeVint(-Int64(bitPattern: value >> 1))
                let bytes = writer.array()
                var reader = ByteReader(bytes.span.bytes)
                let unsigned: UInt64 = try reader.readUnsignedVint()
                let signed: Int64 = try reader.readVint()
                let negative: Int64 = try reader.readVint()
                #expect(unsigned == value)
                #expect(signed == Int64(bitPattern: value))
                #expect(negative == -Int64(bitPattern: value >> 1))
            }
        }
    }

    @Test func aReadPastTheEndSaysWhatIsMissingAndDoesNotMove() {
        let bytes: [UInt8] = [1, 2, 3]
        var reader = ByteReader(bytes.span.bytes)
        var caught: DecodingError?
        do throws(DecodingError) { _ = try reader.readUInt32() } catch { caught = error }
        #expect(caught == .truncated(offset: 0, missing: 1))
        let offset: Int = reader.offset
        #expect(offset == 0)
        do throws(DecodingError) { try reader.skip(-1) } catch { caught = error }
        #expect(caught == .truncated(offset: 0, missing: 0))
    }
}
