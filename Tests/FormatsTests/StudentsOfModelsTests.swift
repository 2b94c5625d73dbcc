import Networks
import Numerics
import Testing

@testable import Formats

/// Students made of classifiers that people really use.
struct StudentsOfModelsTests {
    @Test(arguments: ONNXModelsTests.Model.all.filter(\.exists))
    func anyTeacherHasStudents(model: ONNXModelsTests.Model) throws {
        let teacher = try Network.load(onnx: model.path, inputShape: model.given)
        for (width, depth) in [(0.5, 1.0), (0.25, 0.5), (1.5, 1)] {
            let student = try Network(teacher.graph.restoringBatchNorms().scaled(width: width, depth: depth))
            student.loadConstants(from: teacher)
            #expect(student.inputShape == teacher.inputShape)
            #expect(student.outputShape == teacher.outputShape)
            #expect((student.featureShape == nil) == (teacher.featureShape == nil))
            // Half of all channels is about a quarter of the weights; 0.8 where few channels lead to many classes.
            if width < 1 { #expect(Double(student.parameterCount) < 0.8 * Double(teacher.parameterCount)) }
            var random = Philox(seed: 1, stream: .weights)
            student.initialise(&random)
            let outputs = try outputs(of: student)
            let isFinite = outputs.allSatisfy { $0.isFinite }
            #expect(isFinite)

            let folded = try student.foldingBatchNorms()
            let largest = outputs.map { abs($0) }.max() ?? 0
            let difference = zip(try self.outputs(of: folded), outputs).map { abs($0 - $1) }.max() ?? 0
            #expect(difference <= 1e-4 * largest)
        }
    }

    private func outputs(of network: Network) throws -> [Float] {
        var random = Philox(seed: 2, stream: .check)
        let input = try Batch(samples: 2, shape: network.inputShape)
        random.fillNormal(input)
        let pass = try Pass(network, input: input, Compute(threads: 1))
        pass.forward()
        return (0..<2).flatMap { sample in (0..<network.outputShape.count).map { pass.output[sample, $0] } }
    }
}
