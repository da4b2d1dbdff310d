//! VGG-19 (Simonyan and Zisserman, 2015), torchvision's. `cargo xtask build-times` builds it as the only example of a crate that depends on Kiln, and edits a layer of it.

use kiln::prelude::*;

network! {
    pub Vgg19 {
        input image: [3, 224, 224];
        target label: class<1000>;
        features: {
            repeat 2 { Conv2d<64, 3, padding = 1>; Relu; }  MaxPool2d<2>;
            repeat 2 { Conv2d<128, 3, padding = 1>; Relu; } MaxPool2d<2>;
            repeat 4 { Conv2d<256, 3, padding = 1>; Relu; } MaxPool2d<2>;
            repeat 4 { Conv2d<512, 3, padding = 1>; Relu; } MaxPool2d<2>;
            repeat 4 { Conv2d<512, 3, padding = 1>; Relu; } MaxPool2d<2>;
        }
        Flatten;
        classifier: {
            Linear<4096>; Relu; Dropout<0.5>;
            Linear<4096>; Relu; Dropout<0.5>;
            Linear<1000>;
        }
        loss: CrossEntropy(_, label);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut model = Vgg19::new(&Device::Cpu, 42)?;
    let mut optimizer = Adam::default().bind(&model)?;
    let images = Images::<3, 224, 224>::from_vec(vec![0.5; 3 * 224 * 224])?;
    let batch = Dataset::new(images, Classes::<1000>::from_vec(vec![3])?)?;
    println!("loss {}", model.train_step(&batch, &mut optimizer)?.loss);
    Ok(())
}
