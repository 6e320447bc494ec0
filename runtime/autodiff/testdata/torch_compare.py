"""Times gradient graphs on onnxruntime against eager PyTorch, interleaved.

  UCAN_GRAPHS=DIR go test ./runtime/autodiff -run TestWriteGraphs
  python torch_compare.py DIR [ROUNDS] [THREADS] [wall|cpu]

Needs onnx, onnxruntime, numpy and torch. Batch 128; medians over the rounds
of times, and of ratios within a round.
"wall" is elapsed time; "cpu" is processor time of the process, which other
load on the machine disturbs less: use it with one thread.
"""

import statistics
import sys
import time

import numpy as np
import onnx
import onnxruntime as ort
import torch
import torch.nn.functional as F
from onnx import numpy_helper

BATCH = 128


class Net:
    """The forward graph, executed node by node by PyTorch."""

    def __init__(self, path):
        self.graph = onnx.load(path).graph
        self.params = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in self.graph.initializer}

    def __call__(self, x):
        v = dict(self.params)
        v[self.graph.input[0].name] = x
        for n in self.graph.node:
            a = [v[i] for i in n.input]
            at = {p.name: onnx.helper.get_attribute_value(p) for p in n.attribute}
            op = n.op_type
            if op == "Conv":
                y = F.conv2d(a[0], a[1], a[2] if len(a) > 2 else None, stride=at.get("strides", [1, 1]),
                             padding=at.get("pads", [0, 0])[:2], groups=at.get("group", 1))
            elif op == "Relu":
                y = F.relu(a[0])
            elif op == "Add":
                y = a[0] + a[1]
            elif op == "Sub":
                y = a[0] - a[1]
            elif op == "Div":
                y = a[0] / a[1]
            elif op == "MaxPool":
                y = F.max_pool2d(a[0], at["kernel_shape"], at["strides"])
            elif op == "GlobalAveragePool":
                y = a[0].mean((2, 3), keepdim=True)
            elif op == "Flatten":
                y = a[0].flatten(1)
            elif op == "Gemm":
                w = a[1].t() if not at.get("transB") else a[1]
                y = F.linear(a[0], w, a[2] if len(a) > 2 else None)
            else:
                raise SystemExit("no PyTorch form of " + op)
            v[n.output[0]] = y
        return v[self.graph.output[0].name]


def session(path, threads):
    o = ort.SessionOptions()
    o.intra_op_num_threads = threads
    o.log_severity_level = 3
    return ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])


def feeds(s, x, labels, params):
    out = {}
    for i in s.get_inputs():
        if i.name == "labels":
            out[i.name] = labels
        elif i.name in params:
            out[i.name] = params[i.name].numpy()
        else:
            out[i.name] = x
    return out


def wanted(s):
    names = [o.name for o in s.get_outputs() if o.name == "loss" or o.name.endswith(".grad")]
    return names or None


def main():
    folder = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    clock = time.process_time if len(sys.argv) > 4 and sys.argv[4] == "cpu" else time.perf_counter
    torch.set_num_threads(threads)
    rng = np.random.default_rng(1)
    for name, shape in [("mnist-cnn", (1, 28, 28)), ("resnet20", (3, 32, 32))]:
        x = rng.random((BATCH, *shape), dtype=np.float32)
        labels = rng.integers(0, 10, BATCH)
        net = Net(f"{folder}/{name}.onnx")
        tx, tl = torch.from_numpy(x), torch.from_numpy(labels)
        trained = [o[: -len(".grad")] for o in wanted(session(f"{folder}/{name}.training.onnx", 1)) if o != "loss"]

        def torch_forward():
            with torch.no_grad():
                net(tx)

        def torch_input():
            xi = tx.clone().requires_grad_(True)
            F.cross_entropy(net(xi), tl).backward()
            return xi.grad

        def torch_training():
            for p in trained:
                net.params[p].requires_grad_(True)
                net.params[p].grad = None
            F.cross_entropy(net(tx), tl).backward()
            grads = {p: net.params[p].grad for p in trained}
            for p in trained:
                net.params[p].requires_grad_(False)
            return grads

        todo = {"torch forward": torch_forward, "torch input": torch_input, "torch training": torch_training}
        check = {}
        for kind in ["", ".input", ".training", ".training-inputs"]:
            s = session(f"{folder}/{name}{kind}.onnx", threads)
            f, w = feeds(s, x, labels, net.params), wanted(s)
            todo["ort " + (kind[1:] or "forward")] = lambda s=s, f=f, w=w: s.run(w, f)
            check[kind] = (s, f, w)

        # The gradients are the same.
        s, f, w = check[".input"]
        got = dict(zip(w, s.run(w, f)))
        want = torch_input().numpy()
        key = [k for k in got if k != "loss"][0]
        print(f"{name}: input gradients differ by {np.abs(got[key] - want).max() / np.abs(want).max():.1e} of the largest")
        s, f, w = check[".training"]
        got, want = dict(zip(w, s.run(w, f))), torch_training()
        worst = max(np.abs(got[p + ".grad"] - want[p].numpy()).max() / np.abs(want[p].numpy()).max() for p in trained)
        print(f"{name}: weight gradients differ by at most {worst:.1e} of each one's largest")

        times = {k: [] for k in todo}
        for k in todo:
            todo[k]()
        order = list(todo)
        for _ in range(rounds):
            # What ran before leaves caches and processors in another state.
            rng.shuffle(order)
            for k in order:
                start = clock()
                todo[k]()
                times[k].append(clock() - start)
        # Ratios are taken within each round: the speed of a shared machine
        # drifts from round to round.
        def ratio(k, of):
            return statistics.median(a / b for a, b in zip(times[k], times[of]))

        for k, v in times.items():
            vs = ""
            if k.startswith("ort"):
                vs = f"   {ratio(k, 'torch ' + k.split()[1].split('-')[0]):.2f} of torch"
            print(f"  {k:22s} {statistics.median(v) * 1e3:8.1f} ms   {ratio(k, k.split()[0] + ' forward'):5.2f} x forward{vs}")


if __name__ == "__main__":
    main()
