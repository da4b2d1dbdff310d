//! Layers with their activations, and `Sequential`.
use kiln::prelude::*;

network! {
    pub Activated {
        input x: [1, 28, 28];

        Conv2D(32, (3, 3), activation = relu);
        MaxPooling2D(pool_size = (2, 2));
        Flatten;
        Dense(units = 10);
    }

    pub Applied {
        input x: [1, 28, 28];

        h = Conv2D(32, 3, padding = "same", activation = "relu")(x);
    }

    pub Listed {
        input x: [784];

        body: [Dense(64), ReLU(), Dense(10)];
    }

    pub Fed {
        x = Input(shape = (784,));

        Linear<10>;
    }
}

fn main() {}
