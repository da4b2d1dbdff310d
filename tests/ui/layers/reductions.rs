use kiln::network;

network! {
    pub Total { input x: [3, 5]; Sum<axis = 2>; }
    pub Mids { input x: [3, 5]; Average<dim = 1>; }
    pub Largest { input x: [3, 5]; Max(x, x); }
    pub Repeated { input x: [3, 5]; Max<axis = [1, 1]>; }
    pub Product { input x: [3, 5]; Dot; }
    pub Three { input x: [3, 5]; Dot(x, x, x); }
    pub Shapes { input x: [3, 5]; Linear<4>; Dot(_, x); }
    pub Factors { input x: [3, 5]; Mul(_, _); Linear<4>; Mul(_, x); }
    pub Terms { input x: [3, 5]; Add; }
    pub Joined { input x: [3, 5]; Linear<4>; Concat(_, x); }
}

fn main() {}
