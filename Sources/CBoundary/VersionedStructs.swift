import CDafl
import Compression
import Distillation
import Training

// Sizes are pinned: they are those of the version that came first, 0.1.0 for most.

extension dafl_network_info: VersionedStruct {
    static var firstSize: Int { 80 }
}

extension dafl_load_options: VersionedStruct {
    static var firstSize: Int { 48 }
    static var defaults: Self { Self() }
}

extension dafl_tensor: VersionedStruct {
    static var firstSize: Int { 104 }
}

extension dafl_train_options: VersionedStruct {
    static var firstSize: Int { 88 }
    static var defaults: Self { SupervisedTraining().inC }
}

extension dafl_compression_options: VersionedStruct {
    static var firstSize: Int { 152 }
    static var defaults: Self {
        var defaults = Self()
        OptionFields.write(Compression(), to: &defaults)
        return defaults
    }
}

extension dafl_teacher: VersionedStruct {
    static var firstSize: Int { 88 }
    static var defaults: Self {
        var defaults = Self()
        defaults.answers = Int64(DAFL_ANSWERS_AUTO)
        return defaults
    }
}

extension dafl_progress: VersionedStruct {
    static var firstSize: Int { 136 }
}

extension dafl_distillation_options: VersionedStruct {
    static var firstSize: Int { 304 }
    static var defaults: Self {
        var defaults = Self()
        OptionFields.write(Preset.fast.options, to: &defaults)
        return defaults
    }
}
