import Testing

@testable import Statistics

@Suite struct FigureTests {
    @Test(
        arguments: [
            (0, "0.00"), (0.005, "0.01"), (0.994, "0.99"), (0.996, "1.00"), (12.5, "12.50"),
            (-0.05, "-0.05"), (-0.004, "0.00"), (-12.345, "-12.35"), (.nan, "–"), (.infinity, "–"),
            (1e20, "1e+20"),
        ] as [(Double, String)])
    func `a figure has two decimals and one sign`(value: Double, text: String) {
        #expect(Figure.plain(value) == text)
    }

    @Test func `a figure that is missing is a dash`() {
        #expect(Figure.number(nil) == "–")
        #expect(Figure.integer(nil) == "–")
        #expect(Figure.bytes(nil) == "–")
        #expect(Figure.percent(nil) == "–")
    }

    @Test func `tables have the typographic minus sign`() {
        #expect(Figure.number(-1.26) == "−1.3")
        #expect(Figure.number(2628, digits: 0) == "2628")
        #expect(Figure.percent(0.1234) == "12.3 %")
    }

    @Test func `short figures end with their last digit`() {
        #expect(Figure.short(0.1234, digits: 3) == "0.123")
        #expect(Figure.short(1.5, digits: 3) == "1.5")
        #expect(Figure.short(-2, digits: 1) == "-2.0")
    }

    @Test func `bytes change their unit at a megabyte`() {
        #expect(Figure.bytes(999_949) == "999.9 kB")
        #expect(Figure.bytes(1_000_000) == "1.0 MB")
    }

    @Test func `one thing is singular`() {
        #expect(Figure.count(0, "probe") == "0 probes")
        #expect(Figure.count(1, "probe") == "1 probe")
        #expect(Figure.count(2, "probe") == "2 probes")
    }

    @Test func `padding never cuts`() {
        #expect(Figure.flushLeft("ab", 4) == "ab  ")
        #expect(Figure.flushRight("ab", 4) == "  ab")
        #expect(Figure.flushLeft("abcde", 4) == "abcde")
    }
}
