//! LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998), ReLU variant. `cargo xtask build-times` builds it as the only example of a crate that depends on Kiln, and edits a layer of it.

use kiln::prelude::*;

network! {
    pub LeNet5<CLASSES = 10> {
        input image: [1, 28, 28];
        target digit: class<CLASSES>;
        features: {
            Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>;
            Conv2d<16, 5>;             Relu; MaxPool2d<2>;
        }
        Flatten;
        classifier: { Linear<120>; Relu; Linear<84>; Relu; Linear<CLASSES>; }
        loss: CrossEntropy(_, digit);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut model = LeNet5::new(&Device::Cpu, 42)?;
    let mut optimizer = Adam::default().bind(&model)?;
    let images = Images::<1, 28, 28>::from_vec(vec![0.5; 1 * 28 * 28])?;
    let batch = Dataset::new(images, Classes::<10>::from_vec(vec![3])?)?;
    println!("loss {}", model.train_step(&batch, &mut optimizer)?.loss);
    Ok(())
}
