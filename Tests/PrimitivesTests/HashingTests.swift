import Primitives
import Testing

@Suite struct HashingTests {
    private func token(_ bytes: [UInt8]) -> Int64 {
        Int64(bitPattern: Murmur3.hash(bytes.span.bytes).low)
    }

    @Test func murmurAgreesWithCassandrasTokens() {
        #expect(token(Array("123".utf8)) == -7_468_325_962_851_647_638)
        let run: [UInt8] = [0x00, 0xFF, 0x10, 0xFA, 0x99]
        #expect(token((0..<10).flatMap { _ in run }) == 5_837_342_703_291_459_765)
        #expect(token([UInt8](repeating: 0xFE, count: 8)) == -8_927_430_733_708_461_935)
        #expect(token([UInt8](repeating: 0x10, count: 8)) == 1_446_172_840_243_228_796)
        #expect(token(Array("9223372036854775807".utf8)) == 7_162_290_910_810_015_547)
        #expect(token([0, 0, 0, 1]) == -4_069_959_284_402_364_209)
        #expect(token([0, 0, 0, 0, 0, 0, 0, 42]) == 8_623_491_988_607_824_794)
        #expect(token(Array("a".utf8)) == -8_839_064_797_231_613_815)
        #expect(token([0x80]) == -5_284_281_814_142_962_636)
        #expect(token([0, 1, 0x61, 0, 0, 4, 0, 0, 0, 1, 0]) == 8_247_712_171_917_364_652)
    }

    @Test func md5AgreesWithTheRFC() {
        func hex(_ text: String) -> String {
            MD5.digest(Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        #expect(hex("") == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(hex("message digest") == "f96b697d7cb7938d525a2f31aaf161d0")
        #expect(
            hex("12345678901234567890123456789012345678901234567890123456789012345678901234567890")
                == "57edf4a22be3c955ac49da2e2107b67a")
    }

    @Test func checksumsAgreeWithTheirCheckValuesAndTheirTables() {
        let check: [UInt8] = Array("123456789".utf8)
        #expect(Checksum.crc32c(check.span.bytes) == 0xE306_9283)
        #expect(Checksum.crc32(check.span.bytes) == 0xCBF4_3926)
        var bytes: [UInt8] = []
        for index in 0..<700 {
            let portable = Checksum.portable(bytes)
            #expect(Checksum.crc32c(bytes.span.bytes) == portable.crc32c)
            #expect(Checksum.crc32(bytes.span.bytes) == portable.crc32)
            bytes.append(UInt8(truncatingIfNeeded: index &* 167 &+ 13))
        }
    }
}
