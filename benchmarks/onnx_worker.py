"""ONNX Runtime's side, for the cases that only predict: onnx_worker.py CASE THREADS."""

import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

import dafl
from cases import CASES
from worker import serve


def lenet5(network: dafl.Network) -> bytes:
    """A network of the LeNet-5 family as an ONNX graph."""
    state = network.state_dict()
    weights = [helper.make_tensor(name, TensorProto.FLOAT, values.shape, values.ravel()) for name, values in state.items()]
    nodes = []
    value = "images"
    for name in ("conv1", "conv2", "conv3"):
        nodes.append(helper.make_node("Conv", [value, f"{name}.weight", f"{name}.bias"], [name]))
        nodes.append(helper.make_node("Relu", [name], [f"{name}.relu"]))
        value = f"{name}.relu"
        if name != "conv3":
            nodes.append(helper.make_node("MaxPool", [value], [f"{name}.pool"], kernel_shape=[2, 2], strides=[2, 2]))
            value = f"{name}.pool"
    nodes.append(helper.make_node("Flatten", [value], ["features"]))
    nodes.append(helper.make_node("Gemm", ["features", "fc1.weight", "fc1.bias"], ["fc1"], transB=1))
    nodes.append(helper.make_node("Relu", ["fc1"], ["fc1.relu"]))
    nodes.append(helper.make_node("Gemm", ["fc1.relu", "fc2.weight", "fc2.bias"], ["logits"], transB=1))
    graph = helper.make_graph(
        nodes, "lenet5", [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, 32, 32])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def main() -> None:
    case, threads = CASES[sys.argv[1]], int(sys.argv[2])
    network = dafl.Network(case.student, seed=1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(lenet5(network), options, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).standard_normal((case.batch, 1, 32, 32), np.float32)
    assert np.allclose(session.run(None, {"images": images})[0], network.predict(images), atol=1e-4)
    serve(lambda: [session.run(None, {"images": images}) for _ in range(case.units)])


main()
