//! Lines of a `forward` and of an `__init__`.
use kiln::prelude::*;

network! {
    pub Assigned {
        input x: [1, 28, 28];

        x = torch.relu(self.conv1(x));
        Flatten;
        Linear<10>;
    }

    pub Declared {
        input x: [1, 28, 28];

        self.conv1 = nn.Conv2d(1, 6, kernel_size = 5, padding = 2);
        x = x.view(-1, 4704);
        self.fc = nn.Linear(4704, 10);
    }

    pub Returned {
        input x: [784];

        logits: Linear<10>;
        return logits;
    }

    pub Joined {
        input x: [1, 28, 28];

        a: Conv2d<6, 5>;
        b: Conv2d<6, 5>(x);
        torch.cat([a, b], dim = 1);
    }

    pub Printed {
        input x: [784];

        Linear<10>;
        print(x.shape);
    }
}

fn main() {}
