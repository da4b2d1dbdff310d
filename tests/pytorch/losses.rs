//! Made by `tests/fixtures/make.py`: one network and one test for each case of the fixture.

use super::check::case;

case! { loss of losses, cross_entropy CrossEntropyCase:
    input x: [5]; target t: class<5>;
    param shift: [5] = Zeros; Add(x, shift);
    loss: CrossEntropy(_, t);
}

case! { loss of losses, cross_entropy_smoothing CrossEntropySmoothingCase:
    input x: [5]; target t: class<5>;
    param shift: [5] = Zeros; Add(x, shift);
    loss: CrossEntropy<label_smoothing = 0.1>(_, t);
}

case! { loss of losses, cross_entropy_weight CrossEntropyWeightCase:
    input x: [5]; target t: class<5>;
    param shift: [5] = Zeros; Add(x, shift);
    loss: CrossEntropy<weight = [0.5, 2.0, 1.0, 0.25, 3.0]>(_, t);
}

case! { loss of losses, cross_entropy_smoothing_weight CrossEntropySmoothingWeightCase:
    input x: [5]; target t: class<5>;
    param shift: [5] = Zeros; Add(x, shift);
    loss: CrossEntropy<label_smoothing = 0.2, weight = [0.5, 2.0, 1.0, 0.25, 3.0]>(_, t);
}

case! { loss of losses, cross_entropy_far CrossEntropyFarCase:
    input x: [5]; target t: class<5>;
    param shift: [5] = Zeros; Add(x, shift);
    loss: CrossEntropy(_, t);
}

case! { loss of losses, nll NllCase:
    input x: [5]; target t: class<5>;
    param shift: [5] = Zeros; Add(x, shift); LogSoftmax;
    loss: Nll(_, t);
}

case! { loss of losses, mse MseCase:
    input x: [5]; target t: [5];
    param shift: [5] = Zeros; Add(x, shift);
    loss: Mse(_, t);
}

case! { loss of losses, mse_image MseImageCase:
    input x: [2, 3, 2]; target t: [2, 3, 2];
    param shift: [2, 3, 2] = Zeros; Add(x, shift);
    loss: Mse(_, t);
}

case! { loss of losses, half_square HalfSquareCase:
    input x: [5]; target t: [5];
    param shift: [5] = Zeros; Add(x, shift);
    loss: HalfSquare(_, t);
}

case! { loss of losses, half_square_image HalfSquareImageCase:
    input x: [2, 3, 2]; target t: [2, 3, 2];
    param shift: [2, 3, 2] = Zeros; Add(x, shift);
    loss: HalfSquare(_, t);
}

case! { loss of losses, weighted_sum WeightedSumCase:
    input x: [5]; target t: class<5>;
    param shift: [5] = Zeros; Add(x, shift) as shifted; output shifted;
    loss: CrossEntropy(shifted, t) + 0.3 * CrossEntropy<label_smoothing = 0.1>(shifted, t);
}
