import Shell
import Testing

@Suite struct FloatTextTests {
    @Test(arguments: [
        (0.0, 12, "0"), (-0.0, 12, "-0"), (1.0, 12, "1"), (1.5, 12, "1.5"), (0.1, 12, "0.1"), (-2.25, 5, "-2.25"),
        (123_456.789, 5, "1.2346e+05"), (12_345.678, 5, "12345.678"), (100_000.0, 5, "1e+05"),
        (123_456_789.123, 12, "123456789.122999995947"), (1e300, 12, "1e+300"), (0.0001, 5, "0.0001"),
        (0.00012345678, 5, "0.000123"), (1e-05, 5, "1e-05"), (1.23456789e-7, 5, "1.2346e-07"),
        (Double.leastNonzeroMagnitude, 12, "4.94065645841e-324"),
        (Double.greatestFiniteMagnitude, 12, "1.79769313486e+308"),
        (0.5, 5, "0.5"), (2.5, 5, "2.5"), (9.9999999, 5, "10"), (.nan, 5, "NaN"), (.infinity, 5, "Infinity"),
        (-.infinity, 5, "-Infinity"),
    ]) func digitsAreThoseOfCqlsh(number: Double, precision: Int, text: String) {
        #expect(FloatText.text(number, precision: precision) == text)
    }
}
