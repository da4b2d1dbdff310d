use kiln::network;

network! {
    pub Values { input x: [4]; Dropout<1>; }
    pub Channels { input x: [4]; Dropout2d<0.5>; }
    pub Percent { input x: [4, 3, 3]; Dropout2d<50>; }
    pub Noise { input x: [4]; GaussianNoise; }
    pub Negative { input x: [4]; GaussianNoise<-0.1>; }
}

fn main() {}
