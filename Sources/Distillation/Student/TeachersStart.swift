import Networks
import Numerics
import Training

/// A student that starts with its teacher's weights, as far as its channels go, in the place of new ones.
///
/// Of photographs a student learns little from drawn pictures alone: it learns what the teacher makes of pictures, and that says
/// little of what it makes of things. The teacher's weights know more, and what they know stays when the student learns with
/// the statistics that its normalisations have, not with those of pictures.
struct TeachersStart {
    /// Where the student is compared with the teacher: see `ActivationMatch`.
    let places: [ActivationMatch.Place]
    /// The teacher, which shows what it puts out at these.
    let watchedTeacher: NetworkTeacher

    /// nil for a student that starts otherwise.
    /// - Throws: `invalidArgument` where it is to start so and cannot.
    static func of(
        _ student: Network, _ host: any Teacher, _ options: DistillationOptions, _ compute: Compute
    ) throws -> TeachersStart? {
        guard options.startsFromTeacher(host.inputShape) else { return nil }
        var start: TeachersStart?
        if let own = host as? NetworkTeacher {
            let units = try options.units(of: host) ?? own.ownUnits.map { TeacherUnits(units: $0, shape: host.inputShape) }
            start = switch options.givenStudent {
            case .network, .resumed: try TeachersStart(compressed: student, of: own, units, options, compute)
            case .graph, nil: try TeachersStart(student, of: own, units, options, compute)
            }
        }
        guard start != nil || options.studentStart != .teacher else {
            throw DaflError.invalid(
                "student_start", "\"teacher\"",
                "\"auto\" or \"new\" for a student that is neither a share of a network's channels nor made of the network, or whose layers "
                    + "cannot start so")
        }
        return start
    }

    /// Of pictures, at a time.
    private static let samples = 64

    /// Sixteen batches for a small network, and fewer so that the start takes no more than a minute or so for a large one: each layer
    /// is fitted in a pass of its own over the pictures.
    private static func batches(for network: Network) -> Int {
        let layers = network.nodes.count { !$0.layer.parameters.isEmpty }
        return max(1, min(16, 1_000_000_000_000 / max(1, network.multiplyAdds * layers * samples)))
    }

    /// Writes the weights of a student that options made of the teacher's graph; nil where that cannot be, and the student is as
    /// it was.
    init?(
        _ student: Network, of teacher: NetworkTeacher, _ units: TeacherUnits?, _ options: DistillationOptions, _ compute: Compute
    ) throws {
        guard let width = try options.widthOfTeacher, ProceduralSource.image(of: teacher.inputShape, options) != nil,
            let narrowing = try Narrowing(teacher.network, width: width)
        else { return nil }
        let images = try Batch(samples: Self.samples, shape: teacher.inputShape)
        // The network that is narrowed takes standardised images where the teacher itself standardises them.
        let restoring = teacher.ownUnits == nil ? try units?.plan(images, gradients: false, compute) : nil
        let pass = try Pass(
            narrowing.network, input: restoring?.output ?? images, watching: narrowing.watched, compute)
        let batches = Self.batches(for: teacher.network), size = images.samples * images.elements
        let pictures = try Self.pictures(teacher, units, batches: batches, options, compute)
        func draw(_ batch: Int) {
            images.load(rows: pictures.pointer + batch * size, compute)
            restoring?.forward()
        }
        for batch in 0..<batches {
            draw(batch)
            pass.forward()
            narrowing.add(pass.watched)
        }
        let before = try student.copy()
        guard try narrowing.write(to: student, units: restoring == nil ? nil : units?.units) else { return nil }
        student.touch()
        try narrowing.refit(
            student, batches: batches, teacher: restoring?.output ?? images, student: images, compute, draw)
        // Of a teacher that tells no two pictures apart nothing can be fitted.
        guard student.isFinite else {
            student.loadWeights(of: before)
            return nil
        }

        var places: [ActivationMatch.Place] = []
        for node in student.nodes {
            guard let (channels, variance) = narrowing.input(of: node.name), variance > 0,
                let same = teacher.network.nodes.first(where: { $0.name == node.name })
            else { continue }
            let (own, theirs) = (node.inputs[0], same.inputs[0])
            guard own != Network.input, theirs != Network.input, !places.contains(where: { $0.student == own }) else { continue }
            places.append(ActivationMatch.Place(student: own, teacher: theirs, channels: channels, variance: variance))
        }
        self.places = places
        watchedTeacher = teacher.watching(places.map(\.teacher))
    }

    /// For a student that was made of the teacher, with its weights as they are: where layers of the teacher read what nodes of the
    /// same name and shape put out, the student's nodes are to put out the same. nil where nothing can be drawn.
    init?(
        compressed student: Network, of teacher: NetworkTeacher, _ units: TeacherUnits?, _ options: DistillationOptions,
        _ compute: Compute
    ) throws {
        guard ProceduralSource.image(of: teacher.inputShape, options) != nil else { return nil }
        let network = teacher.network
        var pairs: [(student: Int, teacher: Int)] = []
        for node in network.nodes where !node.layer.parameters.isEmpty && node.kind != .units {
            guard let theirs = node.inputs.first, theirs != Network.input, network.nodes[theirs].kind != .units,
                let own = student.nodes.firstIndex(where: { $0.name == network.nodes[theirs].name }),
                student.nodes[own].outputShape == network.nodes[theirs].outputShape, !pairs.contains(where: { $0.teacher == theirs })
            else { continue }
            pairs.append((own, theirs))
        }
        let watched = teacher.watching(pairs.map(\.teacher))
        let standard: any Teacher = units.map { UnitsTeacher(watched, $0) } ?? watched
        let images = try Batch(samples: Self.samples, shape: teacher.inputShape)
        let pass = try standard.plan(images, gradients: false, compute)
        let pictures = try Self.pictures(teacher, units, batches: 1, options, compute)
        images.load(rows: pictures.pointer, compute)
        try pass.forward()
        watchedTeacher = watched
        places = try zip(pairs, pass.watched).map { pair, batch in
            let channels = batch.shape.channelsHeightWidth.channels
            let moments = try ChannelMoments(channels: channels)
            moments.add(batch)
            let all = Array(0..<channels), variance = moments.variance(of: all)
            // What never changes has nothing to match.
            return ActivationMatch.Place(
                student: pair.student, teacher: pair.teacher, channels: all, variance: variance > 0 ? variance : .infinity)
        }
    }

    /// Scenes, half of them refined, also where a run draws others: rows [batches * samples, image].
    private static func pictures(
        _ teacher: NetworkTeacher, _ units: TeacherUnits?, batches: Int, _ options: DistillationOptions, _ compute: Compute
    ) throws -> Tensor {
        var options = options
        options.batchSize = samples
        let standard: any Teacher = units.map { UnitsTeacher(teacher, $0) } ?? teacher
        let source = try RefinedSource(standard, units, options, compute)
        let rows = try Tensor([batches * samples, teacher.inputShape.count])
        for batch in 0..<batches {
            _ = try source.next()
            source.images.store(rows: rows.pointer + batch * samples * teacher.inputShape.count, compute)
        }
        return rows
    }
}

extension DistillationOptions {
    /// Of a student that is a share of its teacher's channels, that share; nil for another.
    fileprivate var widthOfTeacher: Double? {
        get throws {
            guard givenStudent == nil else { return nil }
            guard student != "auto" else { return 0.5 }
            guard let scale = try StudentScale(student), scale.depth == 1, scale.width <= 1 else { return nil }
            return scale.width
        }
    }

    /// Whether a student that starts with its teacher's weights also learns what the teacher's layers make of the pictures. Of
    /// photographs drawn pictures say too little without that; elsewhere it holds the student back (benchmarks/ablation.md).
    func matchesLayers(_ input: Shape) -> Bool {
        studentStart == .teacher || ProceduralSource.image(of: input, self).map { $0.channels > 1 } ?? false
    }

    /// Whether a student of a teacher's own graph is to start with its weights.
    func startsFromTeacher(_ input: Shape) -> Bool {
        guard studentDropout == 0 else { return false }
        switch studentStart {
        case .new: return false
        case .teacher: return true
        case .auto:
            // A student that a host brings may be anything.
            guard givenStudent == nil else { return false }
            let isDrawn = [.auto, .procedural].contains(imageSource)
            return isDrawn && maxTeacherQueries == 0 && ProceduralSource.image(of: input, self) != nil
        }
    }
}
