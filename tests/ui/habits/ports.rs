//! Inputs, targets, parameters and losses.
use kiln::prelude::*;

network! {
    pub Fed {
        input x = [784];
        target y: class(10);

        Linear<10>;

        loss = CrossEntropy(_, y);
    }

    pub Batched {
        input x: [None, 784];
        target y: 10;

        Linear<10>;

        loss: nn.CrossEntropyLoss(_, y);
    }

    pub Swapped {
        input x: [784];
        target y: class<10>;

        logits: Linear<10>;

        loss: CrossEntropy(y, logits);
    }

    pub Started {
        input x: [784];

        param scale: [784];
        Mul(_, scale);
        Linear<10>;
    }
}

fn main() {}
