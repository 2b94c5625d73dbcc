import Networks

/// Students with one output, the logit z of the second of two classes. They learn as networks with the logits (0, z), which say
/// the same.
extension Network {
    /// With both logits, and a copy of the weights; itself where it has several outputs.
    func answeringBothClasses() throws -> Network {
        guard outputShape.count == 1 else { return self }
        var both = graph
        both.add(.flatten, both.unused("logit"), inputs: [graph.output ?? graph.last])
        both.add(.pad, both.unused("logits"), ["before": [1], "after": [0]])
        both.output = nil
        let network = try Network(both)
        network.loadWeights(of: self)
        return network
    }
}
