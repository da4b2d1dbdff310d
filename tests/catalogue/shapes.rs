//! Layers that move values, and reductions within a sample.

use crate::check::parity;

parity! { permutations Permutations PermutationsUnfused {
    input x: [3, 6, 5]; target t: [4, 17];
    a: Conv2d<17, 3>; Permute<[1, 2, 0]>; Tanh; Reshape<[12, 17]>; Permute<[1, 0]>; b: Linear<4>; Permute<[1, 0]>;
    loss: Mse(_, t);
} }

parity! { slices Slices SlicesUnfused {
    input x: [20, 6, 5]; target t: [6];
    a: Conv2d<34, 3>; Slice<start = 3, end = 20> as low;
    from a; Slice<start = 17> as high; Add(low, high); Slice<axis = 1, start = 1>; Slice<axis = 2, end = 2>; GlobalAvgPool;
    b: Linear<9>; Slice<start = 1, end = 7>;
    loss: Mse(_, t);
} }

parity! { zero_pads ZeroPads ZeroPadsUnfused {
    input x: [3, 4, 5]; target label: class<3>;
    ZeroPad2d<1>; a: Conv2d<17, 3>; Relu; ZeroPad2d<[0, 2, 1, 0]>; b: Conv2d<5, 3>; Flatten; Reshape<[5, 15]>;
    ZeroPad1d<[1, 2]>; Flatten; fc: Linear<3>;
    loss: CrossEntropy(_, label);
} }

parity! { reductions Reductions ReductionsUnfused {
    input x: [4, 5, 3]; target t: [17];
    a: Conv2d<17, 2> as maps;
    Sum<axis = [1, 2]> as sums;
    from maps; Average<axis = 2> as means; Max<axis = 1> as largest;
    from maps; Max<axis = 0, keepdim = true> as best; Sum as total;
    from maps; Average as mean;
    from maps; Max as most;
    from maps; Mul(_, best); Average<axis = [1, 2]> as weighted;
    Add(sums, largest, weighted) as all; Mul(all, total) as one; Add(one, mean); Mul(_, most);
    loss: Mse(_, t);
} }

parity! { dots Dots DotsUnfused {
    input x: [9]; target t: [6];
    a: Linear<18>; from x; b: Linear<18>; Dot(a, b) as score;
    from a; Reshape<[6, 3]> as rows; from b; Reshape<[6, 3]>; Dot<axis = 1>(rows, _); Mul(_, score);
    loss: Mse(_, t);
} }
