"""Writes tests/golden/names/*.txt: names and shapes of torchvision's parameters and running statistics.

Needs torch and torchvision (any recent version); the models are built without weights.
"""

import pathlib

import torchvision

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "names"
MODELS = {
    "alexnet": {},
    "vgg16_bn": {},
    "resnet18": {},
    "resnet50": {},
    "googlenet": {"aux_logits": True, "init_weights": False},
}

for name, options in MODELS.items():
    model = getattr(torchvision.models, name)(weights=None, **options)
    total = sum(p.numel() for p in model.parameters())
    lines = [
        f"{key} {list(value.shape)}"
        for key, value in model.state_dict().items()
        if not key.endswith("num_batches_tracked")
    ]
    (OUT / f"{name}.txt").write_text("\n".join(sorted(lines)) + f"\ntotal {total}\n")
    print(name, total)
