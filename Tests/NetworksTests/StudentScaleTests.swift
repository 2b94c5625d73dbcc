import Networks
import Numerics
import Testing

@Suite struct StudentScaleTests {
    @Test(arguments: [
        ("half", 0.5, 1.0), ("width=0.5", 0.5, 1), ("width=2", 2, 1), ("depth=0.25", 1, 0.25), ("width=0.25,depth=0.5", 0.25, 0.5),
        ("depth=0.5, width=0.75", 0.75, 0.5), ("width=1,depth=1", 1, 1),
    ]) func readsText(text: String, width: Double, depth: Double) throws {
        #expect(try StudentScale(text) == StudentScale(width: width, depth: depth))
    }

    @Test(arguments: [
        "", "lenet5", "Half", "halves", "width", "lenet5(width=3)", "student.onnx", "{\"nodes\":[]}", "height=3", "a=b,width=1",
    ])
    func otherTextIsNone(text: String) throws {
        #expect(try StudentScale(text) == nil)
    }

    @Test(arguments: [
        "width=", "width=0", "width=-1", "width=17", "width=1e-1", "width=nan", "width=0.5,", "width=0.5,width=0.5", "depth=0",
        "depth=1.1", "width=0.5,depth=", "width=0.5,height=2", "width=0.5,half", "width=0.5=1", "depth=inf", "width=0.5;depth=1",
    ])
    func badNumbersAreErrors(text: String) {
        let error = #expect(throws: DaflError.self) { try StudentScale(text) }
        #expect(error?.status == .invalidArgument)
    }
}
