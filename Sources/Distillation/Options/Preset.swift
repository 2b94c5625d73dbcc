/// The settings that belong together; the table of options has their numbers.
package enum Preset: String, CaseIterable {
    /// The default: minutes on a processor.
    case fast
    /// What the paper did on MNIST: both networks learn from the same batch, once. Hours on a processor.
    case paper

    package var options: DistillationOptions { DistillationOptions(self) }

    /// Among an option's initial values.
    var place: Int { self == .fast ? 0 : 1 }
}
