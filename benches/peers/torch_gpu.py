#!/usr/bin/env python3
"""PyTorch on a GPU: the steps that Kiln's `step_time --device cuda` measures, timed with CUDA events.

    torch_gpu.py --models mlp,lenet5 --batches 64,128 --out torch.tsv

Variants:
  eager    channels last, fused optimizer
  compile  torch.compile(mode="max-autotune") as users run it: it records CUDA graphs of forward and backward
  graph    the whole step (compiled forward and backward, gradients, loss, a capturable optimizer) as ONE torch.cuda.CUDAGraph

Inputs stay on the GPU. `train` is zero_grad, forward, loss, backward, optimizer; `infer` is the forward pass in evaluation mode.
f32 keeps TF32 off everywhere; tf32 allows it everywhere; bf16 is autocast with f32 master weights.

A line for each case: peer, version, gpu, model, mode, precision, batch, then milliseconds: median and minimum of single
steps, and the mean of steps back to back, which is what to compare with `device_ms`. A case that fails is told on standard
error and costs no other. `--limits` also measures what the device can do at most. `--check` builds every model and takes a
step of each on the CPU, without timing: it needs no GPU.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from typing import Callable

import torch
import torch.nn as nn
import torch.nn.functional as F

COLUMNS = "peer version gpu model mode precision batch median_ms min_ms back_to_back_ms samples_per_s".split()
VARIANTS = ("eager", "compile", "graph")
PRECISIONS = ("f32", "tf32", "bf16")
MODES = ("train", "infer")


class BasicBlock(nn.Module):
    """ResNet's block of two 3 × 3 convolutions."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


def mlp():
    return nn.Sequential(
        nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    )


def autoencoder():
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 784), nn.Sigmoid())


def lenet5():
    features = [
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    ]
    classifier = [nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(*features, *classifier)


def mnist_bn_cnn():
    features = [
        nn.Conv2d(1, 32, 3), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64), nn.ReLU(),
        nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(),
    ]
    classifier = [
        nn.Linear(9216, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(128, 10), nn.LogSoftmax(dim=1),
    ]
    return nn.Sequential(*features, *classifier)


def resnet18_cifar():
    layers, channels = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()], 64
    for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [BasicBlock(channels, outputs, stride), BasicBlock(outputs, outputs, 1)]
        channels = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def torchvision(name):
    def make():
        import torchvision as library  # Not everyone has it, and most models do not need it.

        return getattr(library.models, name)(weights=None)

    return make


def sgd(parameters, **options):
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, **options)


def adam(parameters, **options):
    return torch.optim.Adam(parameters, lr=1e-3, **options)


@dataclass
class Model:
    make: Callable
    shape: tuple
    classes: int | None  # None: the input is the target
    optimizer: Callable
    loss: Callable
    batches: tuple


MODELS = {
    "mlp": Model(mlp, (784,), 10, sgd, F.cross_entropy, (64, 128, 1024)),
    "lenet5": Model(lenet5, (1, 28, 28), 10, adam, F.cross_entropy, (64, 128, 1024)),
    "autoencoder": Model(autoencoder, (784,), None, adam, F.mse_loss, (64, 128)),
    "mnist_bn_cnn": Model(mnist_bn_cnn, (1, 28, 28), 10, adam, F.nll_loss, (64, 128, 1024)),
    "resnet18": Model(resnet18_cifar, (3, 32, 32), 10, sgd, F.cross_entropy, (128, 512)),
    "alexnet": Model(torchvision("alexnet"), (3, 224, 224), 1000, sgd, F.cross_entropy, (128, 512)),
    "vgg16": Model(torchvision("vgg16"), (3, 224, 224), 1000, sgd, F.cross_entropy, (64, 128)),
    "resnet50": Model(torchvision("resnet50"), (3, 224, 224), 1000, sgd, F.cross_entropy, (128, 256)),
}


def allow_tf32(allowed):
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def prepare(name, batch, device):
    """Network, inputs and targets on the device."""
    model = MODELS[name]
    torch.manual_seed(0)
    net = model.make().to(device)
    x = torch.rand(batch, *model.shape, device=device)
    if len(model.shape) == 3:
        net = net.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    y = x if model.classes is None else torch.randint(model.classes, (batch,), device=device)
    return net, x, y


def make_step(name, mode, precision, variant, batch, device="cuda"):
    """A function that takes one step."""
    model = MODELS[name]
    net, x, y = prepare(name, batch, device)
    autocast = torch.autocast(device, torch.bfloat16, enabled=precision == "bf16")
    # The capture of a whole step has to be the only graph: cudagraph trees inside would be captured with it.
    mode_of_compile = {"compile": "max-autotune", "graph": "max-autotune-no-cudagraphs"}.get(variant)

    def compiled(function):
        return torch.compile(function, mode=mode_of_compile) if mode_of_compile else function

    if mode == "infer":
        net.eval()
        forward = compiled(net)

        def step():
            with torch.no_grad(), autocast:
                return forward(x)

        return captured(step) if variant == "graph" else step

    def loss_of(x, y):
        with autocast:
            prediction = net(x)
        return model.loss(prediction.float(), y)

    loss_of = compiled(loss_of)
    # SGD has no count of steps and can be captured as it is; Adam must keep its count on the device.
    capturable = {"capturable": True} if variant == "graph" and model.optimizer is adam else {}
    optimizer = model.optimizer(net.parameters(), fused=True, **capturable)

    def step():
        # Gradients are dropped, not zeroed: the backward pass writes them, it need not add.
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        return loss

    return captured(step) if variant == "graph" else step


def captured(step):
    """A step as one CUDA graph. Warming up on a side stream, as PyTorch's documentation asks."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(5):
            step()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        kept = step()

    def replay():
        graph.replay()
        return kept

    return replay


def timed(step, seconds):
    """Median and minimum of single steps, and the mean of steps back to back, in milliseconds."""
    for _ in range(10):
        step()
    torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    torch.cuda.synchronize()
    count = max(20, min(2000, int(seconds / max(time.perf_counter() - start, 1e-5))))

    def event():
        return torch.cuda.Event(enable_timing=True)

    events = [(event(), event()) for _ in range(count)]
    for begin, end in events:
        begin.record()
        step()
        end.record()
    torch.cuda.synchronize()
    single = sorted(begin.elapsed_time(end) for begin, end in events)

    begin, end = event(), event()
    begin.record()
    for _ in range(count):
        step()
    end.record()
    torch.cuda.synchronize()
    return single[count // 2], single[0], begin.elapsed_time(end) / count


def limits(emit):
    """Bandwidth of a copy on the device, and the rate of a large bf16 product."""
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda").random_()
    copy = torch.empty_like(source)
    ms = timed(lambda: copy.copy_(source), 0.3)[2]
    emit("limit", "copy_GBps", "-", "-", 0, round(2 * source.numel() / ms / 1e6, 1), 0, 0, 0)
    del source, copy
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    ms = timed(lambda: a @ b, 0.3)[2]
    emit("limit", "bf16_TFLOPs", "-", "-", 0, round(2 * 8192**3 / ms / 1e9, 1), 0, 0, 0)


def check(names):
    """One step of each model on the CPU: what can be seen without a GPU."""
    for name in names:
        for mode in MODES:
            result = make_step(name, mode, "f32", "eager", 4, device="cpu")()
            assert torch.isfinite(result).all(), (name, mode)
            print(f"{name}\t{mode}\t{tuple(result.shape)}")


def chosen(text, known, what):
    """The names in a list with commas, which must be known."""
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        sys.exit(f"{what}: expected some of {', '.join(known)}, found {', '.join(unknown) or 'none'}")
    return names


def main():
    parser = argparse.ArgumentParser(description="PyTorch's steps on a GPU")
    parser.add_argument("--models", default="mlp,lenet5,autoencoder,mnist_bn_cnn")
    parser.add_argument("--precisions", default=",".join(PRECISIONS))
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--batches", default="", help="without it: each model's own")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement, about")
    parser.add_argument("--out", help="a TSV file to append to")
    parser.add_argument("--limits", action="store_true", help="also measure the device's limits")
    parser.add_argument("--check", action="store_true", help="a step of each model on the CPU, nothing else")
    options = parser.parse_args()
    models = chosen(options.models, MODELS, "--models")
    precisions = chosen(options.precisions, PRECISIONS, "--precisions")
    variants = chosen(options.variants, VARIANTS, "--variants")
    modes = chosen(options.modes, MODES, "--modes")
    if options.check:
        return check(models)
    if not torch.cuda.is_available():
        sys.exit(f"PyTorch {torch.__version__} finds no GPU")

    gpu = torch.cuda.get_device_name(0).replace(" ", "_")
    out = open(options.out, "a") if options.out else None

    def line(columns):
        text = "\t".join(str(column) for column in columns)
        print(text, flush=True)
        if out:
            print(text, file=out, flush=True)

    def emit(peer, *columns):
        line((peer, torch.__version__, gpu, *columns))

    if out is None or out.tell() == 0:
        line(COLUMNS)
    torch.backends.cudnn.benchmark = True
    if options.limits:
        limits(emit)
    for name in models:
        batches = [int(batch) for batch in options.batches.split(",") if batch] or MODELS[name].batches
        for precision in precisions:
            allow_tf32(precision == "tf32")
            for batch in batches:
                for mode in modes:
                    for variant in variants:
                        try:
                            step = make_step(name, mode, precision, variant, batch)
                            median, least, mean = timed(step, options.seconds)
                        except Exception as error:  # One case must not cost the others.
                            print("FAILED", name, mode, precision, batch, variant, repr(error)[:300], file=sys.stderr)
                        else:
                            rate = f"{batch / mean * 1e3:.0f}"
                            times = (f"{ms:.4f}" for ms in (median, least, mean))
                            emit(f"pytorch-{variant}", name, mode, precision, batch, *times, rate)
                        step = None
                        torch._dynamo.reset()
                        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
