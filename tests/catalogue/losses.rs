//! Losses of dense values, several in one network.

use crate::check::parity;

parity! { distances Distances DistancesUnfused {
    input x: [5]; target t: [17];
    Linear<17> as y; output y;
    loss: L1(y, t) + 2 * Huber(y, t) + Huber<delta = 0.3>(y, t) + 0.5 * HalfSquare(y, t)
        + SmoothL1<beta = 0.7>(y, t);
} }

parity! { binary Binary BinaryUnfused {
    input x: [5]; target label: class<4>;
    Linear<4> as scores; Sigmoid as odds; output odds;
    loss: Bce(odds, one_hot(label)) + BceWithLogits(scores, one_hot(label))
        + 0.5 * BceWithLogits<pos_weight = [0.5, 1, 2, 3]>(scores, one_hot(label))
        + BceWithLogits<pos_weight = 2>(scores, one_hot(label)) + 0.1 * Perceptron(scores, one_hot(label));
} }

parity! { binary_images BinaryImages BinaryImagesUnfused {
    input x: [2, 4, 3]; target t: [3, 4, 3];
    Conv2d<3, 1> as scores; output scores;
    loss: BceWithLogits<pos_weight = [0.5, 1, 2]>(scores, t) + L1(scores, t) + Perceptron(scores, t);
} }

parity! { weighted_classes WeightedClasses WeightedClassesUnfused {
    input x: [5]; target label: class<3>;
    Linear<3> as scores; LogSoftmax as logs; output logs;
    loss: Nll<weight = [0.5, 2, 1]>(logs, label)
        + CrossEntropy<label_smoothing = 0.1, weight = [0.5, 2, 1]>(scores, label);
} }
