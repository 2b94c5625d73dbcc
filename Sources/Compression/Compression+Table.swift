import Training

extension Compression: OptionTable {
    /// In the order of `dafl_compression_options`, whose end is the place for new ones. Ways that are 0 are not taken.
    package static var table: [Option<Compression>] {
        [
            /// Each linear layer and convolution becomes two thinner ones, by a singular value decomposition (Denton et al., NIPS
            /// 2014): a linear layer through so many numbers; a convolution through so many channels, by its own kernel and one of
            /// 1 x 1, or by columns and rows of its kernel (Jaderberg et al., BMVC 2014), whichever loses less. Layers that would
            /// not become cheaper stay. With `images`, layers are then fitted to what they made of these.
            .whole("rank", \.rank, 0...1 << 30, 0),
            /// The same, with the fewest for each layer that keep this share of its squared singular values.
            .real("energy", \.energy, 0...1, 0),
            /// The same, with as many as this share of the network's multiply-adds allows, spread over the layers so that together
            /// they lose the least.
            .real("multiply_adds", \.multiplyAdds, 0...1, 0),
            /// The share of channels and neurons between layers that stay, of each group that goes together: those of the largest
            /// weights; others that are like them take the place of those that go (Kim et al., NeurIPS 2020). With `images`: those that
            /// best give back the others on these, and weights fitted layer by layer (He et al., ICCV 2017). Batch normalisations
            /// are folded.
            .real("channels", \.channels, 0...1, 0),
            /// The share of channels and neurons that go, by making those one whose weights are most alike (Srinivas and Babu,
            /// BMVC 2015). Batch normalisations are folded.
            .real("merge", \.merge, 0...1, 0),
            /// 1: the same, as far as the knee of each group's curve of what every further pair costs: where a pair costs twice what
            /// the first half of the curve would lead to. So at least half of a group goes, or, where there is no knee, none.
            .whole("merge_knee", \.mergeKnee, 0...1, 0),
            /// The share of the weights of linear layers and convolutions that become zero, those that are already among them; the
            /// smallest, as their layers have them (Han et al., ICLR 2016; Lee et al., ICLR 2021). A distillation with
            /// student_keeps "zeros" repairs what that costs; several rounds of both go further than one.
            .real("prune", \.prune, 0...1, 0),
            /// Each layer's weights, but for zeros, become 2^bits values, by k-means (Han et al., ICLR 2016). student_keeps "values"
            /// tunes them. `dafl_network_save_compressed` writes such a network to a small file.
            .whole("bits", \.bits, 0...12, 0),
            /// The same for convolutions, where they are to have more; 0: as bits.
            .whole("convolution_bits", \.convolutionBits, 0...12, 0),
            /// 1: weights in eight bits with a step for each output channel, activations in eight bits with ranges seen on `images`,
            /// biases in 32 bits; written to an ONNX file, ONNX Runtime computes it in whole numbers. Of a network that rounds its
            /// activations already, as one that was trained after this, weights and biases are put back on their grids.
            .whole("int8", \.int8, 0...1, 0),
            /// Of int8: how many bits of its eight a weight uses. With 8, sums of two products overflow 16 bits in ONNX Runtime on
            /// x64 processors without VNNI, unless its session has `session.x64quantprecision`; with 7 they do not.
            .whole("weight_bits", \.weightBits, 7...8, 7),
            /// Of int8: 1 scales channels between two layers so that both use their ranges alike (Nagel et al., ICCV 2019,
            /// section 4.1).
            .whole("equalisation", \.equalisation, 0...1, 1),
            /// Of int8: 1 gives the outputs of each layer the means that they had on `images` (the same, section 4.2).
            .whole("bias_correction", \.biasCorrection, 0...1, 1),
            /// Of int8, channels and low rank: [image_count, channels, height, width], in the network's own units. Real ones, or those that
            /// dafl_distillation_generate makes without data. Borrowed until the call returns.
            .host("images", "const float *"),
            /// 1 to 2^30 where images is not NULL.
            .host("image_count", "int64_t"),
            /// 0: as many as the processors that this process may use.
            .whole("threads", \.threads, 0...1024, 0),
            /// Called from time to time; may be NULL.
            .host("on_progress", "dafl_compression_fn"),
            /// Handed to on_progress.
            .host("user_data", "void *"),
        ]
    }
}
