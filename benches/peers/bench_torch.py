"""PyTorch on CPU: python bench_torch.py VARIANT [model ...]

VARIANT  eager     default optimizer, NCHW
         fused     eager with the optimizer's fused=True (training lines only)
         cl        eager, channels_last, fused optimizer (convolutional models)
         compile   torch.compile (inductor) of forward+loss and of optimizer.step
"""
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

from common import ADAM, LARGE, MODELS, THREADS, batch, classes, failed, line, memory, shape, time_ms

torch.set_num_threads(THREADS)
torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o)
        self.c2, self.b2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.skip = nn.Identity()
        if s != 1 or i != o:
            self.skip = nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        y = F.relu(self.b1(self.c1(x)))
        return F.relu(self.b2(self.c2(y)) + self.skip(x))


def build(name):
    r, mp = nn.ReLU, nn.MaxPool2d
    if name == "mlp":
        return nn.Sequential(nn.Linear(784, 512), r(), nn.Linear(512, 512), r(), nn.Linear(512, 10))
    if name == "autoencoder":
        return nn.Sequential(nn.Linear(784, 256), r(), nn.Linear(256, 784), nn.Sigmoid())
    if name == "lenet5":
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), r(), mp(2), nn.Conv2d(6, 16, 5), r(), mp(2), nn.Flatten(),
            nn.Linear(400, 120), r(), nn.Linear(120, 84), r(), nn.Linear(84, 10))
    if name == "mnist_bn_cnn":
        return nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.BatchNorm2d(32), r(), nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64), r(), mp(2),
            nn.Dropout(0.25), nn.Flatten(), nn.Linear(9216, 128), nn.BatchNorm1d(128), r(), nn.Dropout(0.5),
            nn.Linear(128, 10), nn.LogSoftmax(1))
    if name == "resnet18":
        blocks, i = [], 64
        for o, s in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [Block(i, o, s), Block(o, o, 1)]
            i = o
        return nn.Sequential(
            nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), r(), *blocks,
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
    if name == "alexnet":
        return nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), r(), mp(3, 2), nn.Conv2d(64, 192, 5, padding=2), r(), mp(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), r(), nn.Conv2d(384, 256, 3, padding=1), r(),
            nn.Conv2d(256, 256, 3, padding=1), r(), mp(3, 2), nn.Flatten(),
            nn.Dropout(0.5), nn.Linear(9216, 4096), r(), nn.Dropout(0.5), nn.Linear(4096, 4096), r(),
            nn.Linear(4096, 1000))
    if name == "vgg16":
        layers, i = [], 3
        for n, o in enumerate((64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)):
            layers += [nn.Conv2d(i, o, 3, padding=1), r()]
            if n in (1, 3, 6, 9, 12):
                layers.append(mp(2))
            i = o
        return nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(25088, 4096), r(), nn.Dropout(0.5), nn.Linear(4096, 4096), r(),
            nn.Dropout(0.5), nn.Linear(4096, 1000))
    raise ValueError(name)


def loss_fn(name, y, x, t):
    if name == "autoencoder":
        return F.mse_loss(y, x)
    if name == "mnist_bn_cnn":
        return F.nll_loss(y, t)
    return F.cross_entropy(y, t)


def bench(variant, name):
    peer = {"eager": "pytorch-eager", "fused": "pytorch-eager-fusedopt", "cl": "pytorch-eager-channels_last",
            "compile": "pytorch-compile"}[variant]
    fmt = torch.channels_last if variant == "cl" else torch.contiguous_format
    n, large = batch(name), name in LARGE
    net = build(name)
    if len(shape(name)) == 3:
        net = net.to(memory_format=fmt)
    put = lambda b: torch.rand(b, *shape(name)).contiguous(memory_format=fmt) if len(shape(name)) == 3 else torch.rand(b, 784)
    x, t = put(n), torch.arange(n) % classes(name)
    kw = {"fused": True} if variant in ("fused", "cl") else {}
    if name in ADAM:
        opt = torch.optim.Adam(net.parameters(), lr=1e-3, **kw)
    else:
        opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, **kw)

    def forward_loss(x, t):
        return loss_fn(name, net(x), x, t)

    opt_step = opt.step
    if variant == "compile":
        torch._dynamo.reset()
        forward_loss = torch.compile(forward_loss, dynamic=False)
        opt_step = torch.compile(opt.step)

    def step():
        opt.zero_grad()
        loss = forward_loss(x, t)
        loss.backward()
        opt_step()
        return loss

    try:
        net.train()
        tm = time_ms(large, step)
        print(f"{peer} {name}: loss after the timed steps {step().item():.4f}", file=sys.stderr)
        line(peer, torch.__version__.split("+")[0], name, "train", n, tm)
        memory(peer, torch.__version__.split("+")[0], name, "train", n)
    except Exception as e:
        failed(peer, name, "train", e)
    if variant == "fused":
        return
    net.eval()
    for b in (1, n):
        try:
            run = net
            if variant == "compile":
                torch._dynamo.reset()
                run = torch.compile(net, dynamic=False)
            x = put(b)
            with torch.inference_mode():
                line(peer, torch.__version__.split("+")[0], name, "infer", b, time_ms(large, lambda: run(x)))
        except Exception as e:
            failed(peer, name, "infer", e)


if __name__ == "__main__":
    variant, names = sys.argv[1], sys.argv[2:] or MODELS
    for name in MODELS:
        if name in names and not (variant == "cl" and len(shape(name)) == 1):
            bench(variant, name)
