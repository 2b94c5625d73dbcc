import Numerics
import Testing

@testable import Networks

/// Inputs in their own units: y = (x - mean) / deviation by number, by channel or over all, and back.
struct UnitScalingTests {
    private let compute: Compute
    private let image: Shape

    init() throws {
        compute = try Compute(threads: 2)
        image = try Shape([2, 3, 3])
    }

    private func units(_ count: Int) throws -> InputUnits {
        let units = try InputUnits(count: count)
        for i in 0..<count { (units.mean.value[i], units.deviation.value[i]) = (Float(3 * i - 1), Float(i + 1) * 2) }
        return units
    }

    private func place(_ element: Int, of count: Int) -> Int { element * count / image.count }

    @Test(arguments: [1, 2, 18]) func eachNumberIsScaledByItsOwn(count: Int) throws {
        let units = try units(count)
        let input = try Batch(samples: 19, shape: image)
        var random = Philox(seed: 1, stream: .check)
        random.fillNormal(input)
        for direction in [UnitScaling.Direction.standardising, .restoring] {
            let pass = try Pass(Network(scaling: image, units, direction), input: input, gradients: .input, compute)
            let (gradient, byInput) = (try #require(pass.outputGradient), try #require(pass.inputGradient))
            random.fillNormal(gradient)
            pass.forward()
            pass.backward()
            for i in 0..<19 {
                for e in 0..<image.count {
                    let (mean, deviation) = (units.mean.value[place(e, of: count)], units.deviation.value[place(e, of: count)])
                    let (value, slope) = direction == .restoring
                        ? (input[i, e] * deviation + mean, deviation) : ((input[i, e] - mean) / deviation, 1 / deviation)
                    #expect(abs(pass.output[i, e] - value) < 1e-4)
                    #expect(abs(byInput[i, e] - gradient[i, e] * slope) < 1e-4)
                }
            }
        }
    }

    @Test func otherNumbersOfUnitsAreRefused() throws {
        for count in [3, 9, 17] {
            let error = try #require(throws: DaflError.self) { try Network(scaling: image, units(count), .restoring) }
            #expect(error.status == .invalidArgument && error.description.contains("18"))
        }
        for architecture in ["lenet5(units=0)", "lenet5(units=2)", "mlp-4-2(units=3)", "resnet18(units=-1)"] {
            #expect(throws: DaflError.self) { try Network(architecture: architecture) }
        }
    }

    /// A copy with units answers for inputs in them as the network does for standardised ones, one by one and in batches.
    @Test(arguments: ["lenet5", "lenet5-half(classes=7)", "mlp-1024-8-3", "resnet18(channels=1)"])
    func aCopyTakesInputsInItsUnits(architecture: String) throws {
        let network = try Network(architecture: architecture, seed: 3)
        for count in [1, network.inputShape.count] {
            let units = try InputUnits(count: count)
            for i in 0..<count { (units.mean.value[i], units.deviation.value[i]) = (Float(i % 5), Float(1 + i % 3)) }
            let copy = try network.copy(units: units)
            #expect(copy.parameterCount == network.parameterCount && copy.architecture?.hasSuffix("units=\(count))") == true)
            #expect(copy.inputUnits?.count == count && network.inputUnits == nil)
            let (standard, raw) = (try Batch(samples: 3, shape: network.inputShape), try Batch(samples: 3, shape: network.inputShape))
            var random = Philox(seed: 2, stream: .check)
            random.fillNormal(standard)
            for i in 0..<3 {
                for e in 0..<raw.elements {
                    let place = count == 1 ? 0 : e
                    raw[i, e] = standard[i, e] * units.deviation.value[place] + units.mean.value[place]
                }
            }
            let (expected, found) = (try Pass(network, input: standard, compute), try Pass(copy, input: raw, compute))
            expected.forward()
            found.forward()
            let (row, alone) = (try Tensor([raw.elements]), try Tensor([16]))
            for e in 0..<raw.elements { row[e] = raw[1, e] }
            let single = try SingleImagePass(copy, compute)
            single?.predict(row.pointer, outputs: alone.pointer)
            for k in 0..<expected.output.elements {
                #expect(abs(found.output[1, k] - expected.output[1, k]) < 1e-3)
                if single != nil { #expect(abs(alone[k] - expected.output[1, k]) < 1e-3) }
            }
        }
    }

    @Test func aGeneratorMakesItsOutputsInThem() throws {
        let generator = try Network(architecture: "dafl-generator(latent=4,side=8,width=4)", seed: 1)
        let copy = try generator.copy(units: InputUnits(mean: 100, deviation: 50), .restoring)
        let noise = try Batch(samples: 16, shape: generator.inputShape)
        var random = Philox(seed: 1, stream: .noise)
        random.fillNormal(noise)
        let (standard, scaled) = (try Pass(generator, input: noise, compute), try Pass(copy, input: noise, compute))
        standard.forward()
        scaled.forward()
        for e in 0..<64 { #expect(abs(scaled.output[5, e] - (standard.output[5, e] * 50 + 100)) < 1e-2) }
    }
}

/// An image and the vector of its numbers are the same to every network that takes one of them.
struct InputViewTests {
    @Test(arguments: [
        "lenet5", "lenet5-half(channels=3)", "resnet18(side=16)", "mlp-1024-16-10", "mlp-768-4", "dafl-generator(latent=100,side=8,width=4)",
        "dafl-vector-generator(latent=64,outputs=5,width=8)",
    ]) func everyViewHasTheSameOutput(architecture: String) throws {
        let compute = try Compute(threads: 1)
        let network = try Network(architecture: architecture, seed: 1)
        let own = network.inputShape
        let side = Int(Double(own.count).squareRoot())
        var views = [own, try Shape([own.count]), try Shape([own.count, 1, 1])]
        if own.rank == 1, side * side == own.count { views.append(try Shape([1, side, side])) }
        var outputs: [[Float]] = []
        for view in views {
            let input = try Batch(samples: 5, shape: view)
            var random = Philox(seed: 4, stream: .check)
            random.fillNormal(input)
            let pass = try Pass(network, input: input, gradients: [.input, .weights], compute)
            pass.forward()
            pass.outputGradient?.fill(1)
            pass.backward()
            let gradient = try #require(pass.inputGradient)
            outputs.append((0..<pass.output.elements).map { pass.output[4, $0] } + (0..<own.count).map { gradient[4, $0] })
        }
        for output in outputs { #expect(output == outputs[0]) }
    }

    @Test func anImageOfOtherSidesIsRefused() throws {
        let compute = try Compute(threads: 1)
        let network = try Network(architecture: "lenet5(channels=4)", seed: 1)
        for shape in [[32, 32, 4], [1, 64, 64], [4, 64, 16]] {
            let input = try Batch(samples: 2, shape: Shape(shape))
            #expect(throws: DaflError.self) { try Pass(network, input: input, compute) }
        }
    }
}
