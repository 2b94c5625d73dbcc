/// The settings that belong together.
package enum Preset: String, CaseIterable {
    /// The default: minutes on a processor.
    case fast
    /// What the paper did on MNIST: both networks learn from the same batch, once. Hours on a processor.
    case paper

    package var options: DistillationOptions {
        switch self {
        case .fast:
            DistillationOptions(
                steps: 3600, batchSize: 128, studentSteps: 10, replayCapacity: 409_600, restartSteps: 60,
                generatorWidth: 16, latentSize: 100,
                lossWeights: GeneratorLoss.Weights(oneHot: 1, activation: 0.1, entropy: 5), temperature: 1,
                generatorLearningRate: 0.2, studentLearningRate: 2e-3, studentSchedule: .cosine, augmentation: 1)
        case .paper:
            DistillationOptions(
                steps: 24_000, batchSize: 512, studentSteps: 1, replayCapacity: 0, restartSteps: 0,
                generatorWidth: 128, latentSize: 100,
                lossWeights: GeneratorLoss.Weights(oneHot: 1, activation: 0.1, entropy: 5, regularizer: 0), temperature: 1,
                generatorLearningRate: 0.2, studentLearningRate: 2e-3, studentSchedule: .constant, augmentation: 0)
        }
    }
}
