import Networks
import Numerics
import Training

/// The student S, which learns to answer as the teacher does: on one batch after another it descends
///
///     L_S = (1 - l) L_KD + l L_CE + m L_mimic
///
/// with the labels' share l, for labelled data (Hinton, Vinyals and Dean 2015), and m the weight of feature mimicking. Without
/// data it is L_KD alone, with L_match of a student that started with its teacher's weights.
final class StudentTraining: Persistent {
    let network: Network
    private let pass: Pass
    private let logitsGradient: Batch
    private let labelsGradient: Batch?
    private let distillation: DistillationLoss
    private let crossEntropy: CrossEntropy
    private let mimic: FeatureMimic?
    private let match: ActivationMatch?
    private let kept: KeptWeights?
    private let optimizer: any Optimizer
    private let labelWeight: Double
    private let mimicWeight: Double
    private let masks: DropoutMasks?
    /// With which the student learns together; nil for none.
    private let ranks: Ranks?
    private let averaged: [Tensor]
    // The classes that student and teacher name.
    private let winners: Indices
    private let teacherWinners: Indices
    private let compute: Compute

    /// - Parameters:
    ///   - start: what the student started with; nil for new weights or a host's.
    ///   - ranks: with which it learns together.
    /// - Throws: `invalidArgument` when there is to be mimicking and a network has no features.
    init(
        _ network: Network, of teacher: any Teacher, start: TeachersStart? = nil, _ options: DistillationOptions,
        with ranks: Ranks? = nil, _ compute: Compute
    ) throws {
        let (n, classes) = (options.batchSize, network.outputShape)
        self.network = network
        self.ranks = ranks
        self.compute = compute
        winners = try Indices(count: n)
        teacherWinners = try Indices(count: n)
        labelWeight = options.labelWeight
        mimicWeight = options.mimicWeight
        masks = options.studentDropout == 1 ? DropoutMasks(seed: options.ownSeed) : nil
        pass = try Pass(
            network, input: Batch(samples: n, shape: network.inputShape), gradients: .weights, masks: masks,
            watching: start?.places.map(\.student) ?? [], compute)
        match = try start.map { [pass] in try ActivationMatch($0.places, pass: pass, compute) }
        guard let gradient = pass.outputGradient else { preconditionFailure("a pass with gradients has its output's") }
        logitsGradient = gradient
        labelsGradient = labelWeight > 0 ? try Batch(samples: n, shape: classes) : nil
        distillation = try DistillationLoss(
            temperature: Float(options.temperature), samples: n, classes: classes, compute)
        crossEntropy = try CrossEntropy(samples: n, classes: classes, compute)
        if mimicWeight > 0 {
            guard let features = pass.features, let gradient = pass.featuresGradient, teacher.features > 0 else {
                throw DaflError.invalid("mimic_weight", mimicWeight, "0 unless teacher and student both have features")
            }
            mimic = try FeatureMimic(
                features: features, gradient: gradient, teacherFeatures: teacher.features, seed: options.seed, compute)
        } else {
            mimic = nil
        }
        // Statistics of normalisations that keep theirs are the same on all ranks.
        averaged = (match == nil ? network.averaged : network.trainedParameters.compactMap(\.gradient)) + (mimic?.map.averaged ?? [])
        kept = KeptWeights(options.studentKeeps, of: network)
        optimizer = try Adam(network.trainedParameters + (mimic?.map.trainedParameters ?? []), compute)
    }

    func persist(_ archive: Archive) {
        archive.part("network", network)
        archive.part("mimic", mimic?.map)
        archive.part("optimizer", optimizer)
        archive.part("dropout", masks)
    }

    /// All that ranks have to have alike when they begin.
    var weights: [Tensor] { (network.parameters + (mimic?.map.parameters ?? [])).map(\.value) }

    /// What the student learns from next, to be written before `step`.
    var images: Batch { pass.input }

    /// One step on `images`; returns L_KD before it.
    /// - Throws: `diverged` when the loss or, after the step, a weight is not finite.
    func step(_ targets: Targets, learningRate: Double) throws -> Double {
        pass.forward(training: match == nil)  // s = S(x)
        let value = distillation.evaluate(teacher: targets.logits, student: pass.output, gradient: logitsGradient)  // L_KD
        if let labels = targets.labels, let labelsGradient { addLabels(labels, labelsGradient) }  // L_CE
        if let mimic, let features = targets.features { _ = mimic.evaluate(teacher: features, weight: mimicWeight) }
        if let match, !targets.watched.isEmpty { _ = match.evaluate(teacher: targets.watched) }
        pass.backward()
        try ranks?.average(averaged)
        try kept?.constrain()
        optimizer.step(learningRate: learningRate)
        kept?.settle()
        guard value.isFinite else {
            throw DaflError(.diverged, "the student's loss is \(value); its logits, the teacher's, or both are too large")
        }
        guard network.isFinite else {
            throw DaflError(
                .diverged, "the student's weights are no longer finite, its loss was \(value); try a smaller "
                    + "student_learning_rate")
        }
        return value
    }

    /// Turns dL_KD/ds into the gradient of both losses.
    private func addLabels(_ labels: Indices, _ gradient: Batch) {
        _ = crossEntropy.evaluate(pass.output, labels: labels.pointer, gradient: gradient)
        compute.parallelFloats(gradient.count) { start, count in
            compute.kernels.blend(logitsGradient.pointer + start, gradient.pointer + start, Float(labelWeight), count)
        }
    }

    /// The share of `images` on which the student names the class that the teacher's logits name.
    func agreement(teacher t: Batch) -> Double {
        pass.forward()
        t.argmax(to: teacherWinners, compute)
        pass.output.argmax(to: winners, compute)
        return Double((0..<t.samples).count { winners[$0] == teacherWinners[$0] }) / Double(t.samples)
    }
}
