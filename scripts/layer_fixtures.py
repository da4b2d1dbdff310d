"""Writes codegen/tests/pytorch.txt: what PyTorch computes for each layer and loss, in double precision.

Inputs and parameters follow formulas that codegen/tests/pytorch.rs repeats:
element i of input k is 2 sin(0.7 i + k + 1), of parameter k 0.5 sin(0.3 i + k + 1); the class of sample b is (3 b + 1) mod N.
A case is a declaration, the loss (or a dash), then the output, the gradient of every parameter, and the running statistics.
"""

import math
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

torch.set_default_dtype(torch.float64)
OUT = pathlib.Path(__file__).resolve().parent.parent / "codegen" / "tests" / "pytorch.txt"
BATCH = 3


def waves(shape, scale, step, shift):
    n = math.prod(shape)
    return torch.tensor([scale * math.sin(step * i + shift) for i in range(n)]).reshape(shape)


def classes(n):
    return torch.tensor([(3 * b + 1) % n for b in range(BATCH)])


def residual(body, shortcut=None):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.shortcut = body, shortcut

        def forward(self, x):
            return self.body(x) + (self.shortcut(x) if self.shortcut else x)

    return Residual()


class Function(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.forward = f


class Standardize(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.register_buffer("mean", torch.full(shape, 0.5))
        self.register_buffer("deviation", torch.full(shape, 1.5))

    def forward(self, x):
        return (x - self.mean) / self.deviation


class Scaled(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(shape))

    def forward(self, x):
        return x * self.a


def dot(x):
    return (x * x.tanh()).sum(1, keepdim=True)


class Concat(nn.Module):
    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([b(x) for b in self.branches], 1)


IMAGE, VECTOR = [6, 7, 8], [5]
LAYERS = [
    ("Linear<4>", VECTOR, lambda: nn.Linear(5, 4)),
    ("Linear<4, bias = false>", [3, 5], lambda: nn.Linear(5, 4, bias=False)),
    ("Linear<4>", [3, 5], lambda: nn.Linear(5, 4)),
    ("Conv2d<4, 3>", IMAGE, lambda: nn.Conv2d(6, 4, 3)),
    ("Conv2d<4, [1, 3], stride = [2, 1], padding = [0, 1], bias = false>", IMAGE,
     lambda: nn.Conv2d(6, 4, (1, 3), (2, 1), (0, 1), bias=False)),
    ("Conv2d<9, 3, stride = 2, padding = 2, dilation = 2, groups = 3>", IMAGE,
     lambda: nn.Conv2d(6, 9, 3, 2, 2, 2, 3)),
    ("Conv2d<_, 3, groups = _>", IMAGE, lambda: nn.Conv2d(6, 6, 3, groups=6)),
    ("MaxPool2d<2>", IMAGE, lambda: nn.MaxPool2d(2)),
    ("MaxPool2d<3, stride = 2, padding = 1>", IMAGE, lambda: nn.MaxPool2d(3, 2, 1)),
    ("MaxPool2d<3, stride = 2, ceil_mode = true>", IMAGE, lambda: nn.MaxPool2d(3, 2, ceil_mode=True)),
    ("MaxPool2d<2, stride = 1, dilation = [2, 3]>", IMAGE, lambda: nn.MaxPool2d(2, 1, dilation=(2, 3))),
    ("MaxPool2d<[2, 3], stride = 3, padding = 1, ceil_mode = true>", IMAGE,
     lambda: nn.MaxPool2d((2, 3), 3, 1, ceil_mode=True)),
    ("AvgPool2d<2>", IMAGE, lambda: nn.AvgPool2d(2)),
    ("AvgPool2d<3, stride = 2, padding = 1>", IMAGE, lambda: nn.AvgPool2d(3, 2, 1)),
    ("AvgPool2d<3, stride = 2, padding = 1, ceil_mode = true>", IMAGE, lambda: nn.AvgPool2d(3, 2, 1, True)),
    ("AvgPool2d<3, stride = 2, padding = 1, ceil_mode = true, count_include_pad = false>", IMAGE,
     lambda: nn.AvgPool2d(3, 2, 1, True, False)),
    ("GlobalAvgPool", IMAGE, lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())),
    ("AdaptiveAvgPool2d<[3, 5]>", IMAGE, lambda: nn.AdaptiveAvgPool2d((3, 5))),
    ("AdaptiveAvgPool2d<[7, 4]>", IMAGE, lambda: nn.AdaptiveAvgPool2d((7, 4))),
    ("AdaptiveAvgPool2d<[9, 10]>", IMAGE, lambda: nn.AdaptiveAvgPool2d((9, 10))),
    ("Flatten", IMAGE, lambda: nn.Flatten()),
    ("Reshape<[7, 48]>", IMAGE, lambda: nn.Unflatten(1, (6,)) and nn.Sequential(nn.Flatten(), nn.Unflatten(1, (7, 48)))),
    ("BatchNorm", VECTOR, lambda: nn.BatchNorm1d(5)),
    ("BatchNorm<eps = 0.01, momentum = 0.3>", [3, 5], lambda: nn.BatchNorm1d(3, 0.01, 0.3)),
    ("BatchNorm", IMAGE, lambda: nn.BatchNorm2d(6)),
    ("BatchNorm<affine = false>", [3, 5], lambda: nn.BatchNorm1d(3, affine=False)),
    ("BatchNorm<momentum = none>", IMAGE, lambda: nn.BatchNorm2d(6, momentum=None)),
    ("BatchNorm<track_running_stats = false>", VECTOR, lambda: nn.BatchNorm1d(5, track_running_stats=False)),
    ("LayerNorm", VECTOR, lambda: nn.LayerNorm(5)),
    ("LayerNorm<eps = 0.01>", IMAGE, lambda: nn.LayerNorm(IMAGE, 0.01)),
    ("LayerNorm<[7, 8], bias = false>", IMAGE, lambda: nn.LayerNorm([7, 8], bias=False)),
    ("LayerNorm<5, elementwise_affine = false>", [3, 5], lambda: nn.LayerNorm(5, elementwise_affine=False)),
    ("GroupNorm<3>", IMAGE, lambda: nn.GroupNorm(3, 6)),
    ("GroupNorm<2, eps = 0.01>", [6], lambda: nn.GroupNorm(2, 6, 0.01)),
    ("GroupNorm<6, affine = false>", [6, 4], lambda: nn.GroupNorm(6, 6, affine=False)),
    ("Standardize", IMAGE, lambda: Standardize([6, 1, 1])),
    ("Standardize<per = pixel>; Linear<2>", [3, 5], lambda: nn.Sequential(Standardize([3, 5]), nn.Linear(5, 2))),
    ("Permute<[2, 0, 1]>", IMAGE, lambda: Function(lambda x: x.permute(0, 3, 1, 2))),
    ("Slice<axis = 1, start = 2, end = 5>", IMAGE, lambda: Function(lambda x: x[:, :, 2:5])),
    ("ZeroPad1d<[2, 1]>", [3, 5], lambda: nn.ZeroPad1d((2, 1))),
    ("ZeroPad2d<2>", IMAGE, lambda: nn.ZeroPad2d(2)),
    ("ZeroPad2d<[1, 0, 2, 3]>", IMAGE, lambda: nn.ZeroPad2d((1, 0, 2, 3))),
    ("Sum", IMAGE, lambda: Function(lambda x: x.sum((1, 2, 3))[:, None])),
    ("Sum<axis = [0, 2]>", IMAGE, lambda: Function(lambda x: x.sum((1, 3)))),
    ("Average<axis = 1, keepdim = true>", IMAGE, lambda: Function(lambda x: x.mean(2, keepdim=True))),
    ("Max<axis = 2>", IMAGE, lambda: Function(lambda x: x.amax(3))),
    ("a: Linear<4>; Tanh as b; Dot(a, b)", VECTOR, lambda: nn.Sequential(nn.Linear(5, 4), Function(dot))),
    ("param a: [3, 5] = Zeros; Mul(_, a)", [3, 5], lambda: Scaled([3, 5])),
    ("#[frozen] Dropout<0.5>", VECTOR, lambda: nn.Dropout(0.5).eval()),
    ("#[frozen] Dropout2d<0.5>", IMAGE, lambda: nn.Dropout2d(0.5).eval()),
    ("#[frozen] GaussianNoise<0.5>", VECTOR, lambda: nn.Identity()),
    ("Relu", VECTOR, lambda: nn.ReLU()),
    ("LeakyRelu", VECTOR, lambda: nn.LeakyReLU()),
    ("LeakyRelu<0.3>", VECTOR, lambda: nn.LeakyReLU(0.3)),
    ("Sigmoid", VECTOR, lambda: nn.Sigmoid()),
    ("Tanh", VECTOR, lambda: nn.Tanh()),
    ("Elu", VECTOR, lambda: nn.ELU()),
    ("Elu<0.4>", [3, 5], lambda: nn.ELU(0.4)),
    ("Gelu", VECTOR, lambda: nn.GELU()),
    ("Gelu<approximate = tanh>", VECTOR, lambda: nn.GELU(approximate="tanh")),
    ("Silu", VECTOR, lambda: nn.SiLU()),
    ("Mish", VECTOR, lambda: nn.Mish()),
    ("Softplus", VECTOR, lambda: nn.Softplus()),
    ("Softplus<beta = 2, threshold = 1.5>", [3, 5], lambda: nn.Softplus(2, 1.5)),
    ("Step", VECTOR, lambda: Function(lambda x: (x > 0).double())),
    ("Softmax", VECTOR, lambda: nn.Softmax(1)),
    ("Softmax", [3, 5], lambda: nn.Softmax(1)),
    ("LogSoftmax", IMAGE, lambda: nn.LogSoftmax(1)),
    ("Residual { Conv2d<6, 3, padding = 1>; Relu; }", IMAGE,
     lambda: residual(nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.ReLU()))),
    ("Residual { a: Conv2d<4, 3, stride = 2, padding = 1>; } shortcut if reshaped { Conv2d<4, 1, stride = 2>; }", IMAGE,
     lambda: residual(nn.Conv2d(6, 4, 3, 2, 1), nn.Conv2d(6, 4, 1, 2))),
    ("Concat { a: Conv2d<4, 1>; b: { Conv2d<2, 3, padding = 1>; Tanh; } }", IMAGE,
     lambda: Concat(nn.Conv2d(6, 4, 1), nn.Sequential(nn.Conv2d(6, 2, 3, padding=1), nn.Tanh()))),
    ("Conv2d<7, 3>; Relu; Flatten; Sigmoid; Linear<4>; Tanh; Linear<3>", IMAGE,
     lambda: nn.Sequential(nn.Conv2d(6, 7, 3), nn.ReLU(), nn.Flatten(), nn.Sigmoid(), nn.Linear(210, 4), nn.Tanh(),
                           nn.Linear(4, 3))),
]
LOSSES = [
    ("CrossEntropy(_, y)", "class<5>", lambda p, y: F.cross_entropy(p, y)),
    ("CrossEntropy<label_smoothing = 0.1>(_, y)", "class<5>",
     lambda p, y: F.cross_entropy(p, y, label_smoothing=0.1)),
    ("CrossEntropy<weight = [1, 2, 0.5, 3, 1.5]>(_, y)", "class<5>",
     lambda p, y: F.cross_entropy(p, y, weight=torch.tensor([1, 2, 0.5, 3, 1.5]))),
    ("CrossEntropy<label_smoothing = 0.2, weight = [1, 2, 0.5, 3, 1.5]>(_, y)", "class<5>",
     lambda p, y: F.cross_entropy(p, y, weight=torch.tensor([1, 2, 0.5, 3, 1.5]), label_smoothing=0.2)),
    ("Mse(_, y)", "[5]", lambda p, y: F.mse_loss(p, y)),
    ("HalfSquare(_, y)", "[5]", lambda p, y: ((y - p) ** 2 / 2).sum() / len(p)),
    ("L1(_, y)", "[5]", lambda p, y: F.l1_loss(p, y)),
    ("Huber(_, y)", "[5]", lambda p, y: F.huber_loss(p, y)),
    ("Huber<delta = 0.5>(_, y)", "[5]", lambda p, y: F.huber_loss(p, y, delta=0.5)),
    ("SmoothL1(_, y)", "[5]", lambda p, y: F.smooth_l1_loss(p, y)),
    ("SmoothL1<beta = 0.5>(_, y)", "[5]", lambda p, y: F.smooth_l1_loss(p, y, beta=0.5)),
    ("BceWithLogits(_, one_hot(y))", "class<5>",
     lambda p, y: F.binary_cross_entropy_with_logits(p, F.one_hot(y, 5).double())),
    ("BceWithLogits<pos_weight = 3>(_, y)", "[5]",
     lambda p, y: F.binary_cross_entropy_with_logits(p, y, pos_weight=torch.tensor(3.0))),
    ("BceWithLogits<pos_weight = [1, 2, 0.5, 3, 1.5]>(_, y)", "[5]",
     lambda p, y: F.binary_cross_entropy_with_logits(p, y, pos_weight=torch.tensor([1, 2, 0.5, 3, 1.5]))),
    ("Perceptron(_, one_hot(y))", "class<5>",
     lambda p, y: ((((p > 0).double() - F.one_hot(y, 5)).detach() * p).sum() / len(p))),
    ("Mse(_, one_hot(y))", "class<5>", lambda p, y: F.mse_loss(p, F.one_hot(y, 5).double())),
    ("2 * Mse(h, y) - 0.5 * HalfSquare(h, y)", "[5]",
     lambda p, y: 2 * F.mse_loss(p, y) - 0.5 * ((y - p) ** 2 / 2).sum() / len(p)),
]


def numbers(tensor):
    return " ".join(f"{x:.9g}" for x in tensor.detach().reshape(-1).tolist())


def run(model, shape):
    for k, p in enumerate(model.parameters()):
        p.data = waves(list(p.shape), 0.5, 0.3, k + 1)
    x = waves([BATCH, *shape], 2, 0.7, 1)
    return model(x)


def statistics(model):
    """What training changes. Kiln counts batches only for a mean over all of them, and before it moves the others."""
    named = [(name, b) for name, b in model.named_buffers() if not name.endswith(("mean", "deviation")) or "running" in name]
    counts = [numbers(b.double()) for name, b in named if name.endswith("num_batches_tracked")]
    cumulative = any(getattr(m, "momentum", 0) is None for m in model.modules())
    return (counts if cumulative else []) + [numbers(b) for name, b in named if "num_batches" not in name]


lines = []


def case(declaration, loss, output, model):
    lines.append(f"net {declaration}")
    lines.append("loss " + (f"{loss.item():.9g}" if loss is not None else "-"))
    lines.append("output " + numbers(output))
    if loss is not None:
        loss.backward()
        lines.extend("grad " + numbers(p.grad) for p in model.parameters())
    lines.extend("state " + s for s in statistics(model))


for text, shape, make in LAYERS:
    model = make()
    y = run(model, shape)
    dims = list(y.shape[1:])
    trains = any(True for _ in model.parameters())
    loss = F.mse_loss(y, waves(list(y.shape), 2, 0.7, 2)) if trains else None
    tail = f" target y: {dims}; " if trains else " "
    end = " loss: Mse(_, y);" if trains else ""
    braces = "" if text.endswith("}") else ";"
    case(f"pub N {{ input x: {shape};{tail}{text}{braces}{end} }}", loss, y, model)

# What stands between the scores and the loss.
BEHIND = [
    ("Sigmoid", "Bce(_, one_hot(y))", lambda p, y: F.binary_cross_entropy(p.sigmoid(), F.one_hot(y, 5).double())),
    ("LogSoftmax", "Nll(_, y)", lambda p, y: F.nll_loss(p.log_softmax(1), y)),
    ("LogSoftmax", "Nll<weight = [1, 2, 0.5, 3, 1.5]>(_, y)",
     lambda p, y: F.nll_loss(p.log_softmax(1), y, torch.tensor([1, 2, 0.5, 3, 1.5]))),
    ("Mul(_, _)", "Mean(_) + 0.5 * CrossEntropy(h, y)", lambda p, y: (p * p).mean() + 0.5 * F.cross_entropy(p, y)),
]
for layer, text, function in BEHIND:
    model = nn.Linear(4, 5)
    p = run(model, [4])
    case(f"pub N {{ input x: [4]; target y: class<5>; h: Linear<5>; {layer}; loss: {text}; output h; }}",
         function(p, classes(5)), p, model)

for text, target, function in LOSSES:
    model = nn.Linear(4, 5)
    p = run(model, [4])
    y = classes(5) if target.startswith("class") else waves([BATCH, 5], 2, 0.7, 2)
    case(f"pub N {{ input x: [4]; target y: {target}; h: Linear<5>; loss: {text}; output h; }}", function(p, y), p, model)

OUT.write_text("\n".join(lines) + "\n")
print(len(LAYERS) + len(LOSSES) + len(BEHIND), "cases")
