//! ResNet-152 (He, Zhang, Ren and Sun, 2016), torchvision's. `cargo xtask build-times` times its expansion.

use kiln::prelude::*;

network! {
    block Bottleneck<C, S = 1> {
        Residual {
            conv1: Conv2d<C, 1, bias = false>;                          bn1: BatchNorm; Relu;
            conv2: Conv2d<C, 3, stride = S, padding = 1, bias = false>; bn2: BatchNorm; Relu;
            conv3: Conv2d<{4 * C}, 1, bias = false>;                    bn3: BatchNorm;
        } shortcut downsample if reshaped { Conv2d<{4 * C}, 1, stride = S, bias = false>; BatchNorm; }
        Relu;
    }
    pub ResNet152 {
        input image: [3, 224, 224];
        target label: class<1000>;
        conv1: Conv2d<64, 7, stride = 2, padding = 3, bias = false>; bn1: BatchNorm; Relu;
        maxpool: MaxPool2d<3, stride = 2, padding = 1>;
        layer1: { repeat 3 { Bottleneck<64>; } }
        layer2: { Bottleneck<128, 2>; repeat 7 { Bottleneck<128>; } }
        layer3: { Bottleneck<256, 2>; repeat 35 { Bottleneck<256>; } }
        layer4: { Bottleneck<512, 2>; repeat 2 { Bottleneck<512>; } }
        avgpool: GlobalAvgPool;
        fc: Linear<1000>;
        loss: CrossEntropy(_, label);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut model = ResNet152::new(&Device::Cpu, 42)?;
    let mut optimizer = Adam::default().bind(&model)?;
    let images = Images::<3, 224, 224>::from_vec(vec![0.5; 3 * 224 * 224])?;
    let batch = Dataset::new(images, Classes::<1000>::from_vec(vec![3])?)?;
    println!("loss {}", model.train_step(&batch, &mut optimizer)?.loss);
    Ok(())
}
