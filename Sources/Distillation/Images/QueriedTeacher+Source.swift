import Networks
import Numerics

extension QueriedTeacher {
    /// What makes images for a run.
    /// - Parameters:
    ///   - isMatched: whether the student also learns what its teacher's layers make of images.
    ///   - isRestored: whether the source's state is about to be set.
    ///   - ranks: with which its generators may learn together.
    func source(
        student: Network, _ options: DistillationOptions, isMatched: Bool = false, isRestored: Bool = false,
        with ranks: Ranks? = nil, _ compute: Compute
    ) throws -> any ImageSource {
        if isMatched, [.auto, .procedural].contains(options.imageSource), teacher.givesGradients {
            return try RefinedSource(teacher, units, options, compute)
        }
        switch options.imageSource {
        case .auto:
            if !options.generates(teacher.inputShape) { return try ProceduralSource(teacher, units, options, compute) }
            let generating = try GeneratorSource(
                differentiable(student, options), options, isRestored: isRestored, with: ranks, compute)
            guard ProceduralSource.image(of: teacher.inputShape, options) != nil else { return generating }
            return AlternatingSource(generating, try ProceduralSource(teacher, units, options, compute))
        case .generator: 
            return try GeneratorSource(
                differentiable(student, options), options, isRestored: isRestored, with: ranks, compute)
        case .noise: return try NoiseSource(teacher, options, compute)
        case .procedural: return try ProceduralSource(teacher, units, options, compute)
        case .data:
            guard let data = options.data else { throw DaflError.invalid("images", "NULL", "those to learn from") }
            return try DataSource(data, units?.units, teacher, options, compute)
        case .metadata:
            guard let metadata = options.metadata else {
                throw DaflError.invalid("metadata_means", "NULL", "those to make images from")
            }
            return try MetadataSource(metadata, differentiable(student, options), options, compute)
        }
    }

    /// The teacher, with gradients by its images in one way or another.
    private func differentiable(_ student: Network, _ options: DistillationOptions) -> any Teacher {
        if options.gradients == .differences {
            return DifferencesTeacher(teacher, directions: options.differenceDirections, seed: options.ownSeed)
        }
        return usesItsGradients ? teacher : SurrogateTeacher(teacher, student: student)
    }
}
