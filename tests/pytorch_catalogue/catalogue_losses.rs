//! Made by `tests/fixtures/make.py`: one network and one test for each case of the fixture.

use super::check::case;

case! { loss of catalogue_losses, l1 L1Case:
    input x: [5]; target t: [5];
    param shift: [5] = Zeros; Add(x, shift);
    loss: L1(_, t);
}

case! { loss of catalogue_losses, l1_image L1ImageCase:
    input x: [2, 3, 2]; target t: [2, 3, 2];
    param shift: [2, 3, 2] = Zeros; Add(x, shift);
    loss: L1(_, t);
}

case! { loss of catalogue_losses, huber HuberCase:
    input x: [5]; target t: [5];
    param shift: [5] = Zeros; Add(x, shift);
    loss: Huber(_, t);
}

case! { loss of catalogue_losses, huber_narrow HuberNarrowCase:
    input x: [5]; target t: [5];
    param shift: [5] = Zeros; Add(x, shift);
    loss: Huber<delta = 0.3>(_, t);
}

case! { loss of catalogue_losses, huber_image HuberImageCase:
    input x: [2, 3, 2]; target t: [2, 3, 2];
    param shift: [2, 3, 2] = Zeros; Add(x, shift);
    loss: Huber(_, t);
}

case! { loss of catalogue_losses, bce BceCase:
    input x: [5]; target t: [5];
    param shift: [5] = Zeros; Add(x, shift); Sigmoid;
    loss: Bce(_, t);
}

case! { loss of catalogue_losses, bce_between_image BceBetweenImageCase:
    input x: [2, 3, 2]; target t: [2, 3, 2];
    param shift: [2, 3, 2] = Zeros; Add(x, shift); Sigmoid;
    loss: Bce(_, t);
}

case! { loss of catalogue_losses, bce_with_logits BceWithLogitsCase:
    input x: [5]; target t: [5];
    param shift: [5] = Zeros; Add(x, shift);
    loss: BceWithLogits(_, t);
}

case! { loss of catalogue_losses, bce_with_logits_far BceWithLogitsFarCase:
    input x: [5]; target t: [5];
    param shift: [5] = Zeros; Add(x, shift);
    loss: BceWithLogits(_, t);
}

case! { loss of catalogue_losses, bce_with_logits_weight BceWithLogitsWeightCase:
    input x: [5]; target t: [5];
    param shift: [5] = Zeros; Add(x, shift);
    loss: BceWithLogits<pos_weight = 3.0>(_, t);
}

case! { loss of catalogue_losses, bce_with_logits_weights BceWithLogitsWeightsCase:
    input x: [5]; target t: [5];
    param shift: [5] = Zeros; Add(x, shift);
    loss: BceWithLogits<pos_weight = [0.5, 2.0, 1.0, 0.25, 3.0]>(_, t);
}

case! { loss of catalogue_losses, bce_with_logits_weights_image BceWithLogitsWeightsImageCase:
    input x: [2, 3, 2]; target t: [2, 3, 2];
    param shift: [2, 3, 2] = Zeros; Add(x, shift);
    loss: BceWithLogits<pos_weight = [0.5, 2.0]>(_, t);
}

case! { loss of catalogue_losses, nll_weight NllWeightCase:
    input x: [5]; target t: class<5>;
    param shift: [5] = Zeros; Add(x, shift); LogSoftmax;
    loss: Nll<weight = [0.5, 2.0, 1.0, 0.25, 3.0]>(_, t);
}

case! { loss of catalogue_losses, perceptron PerceptronCase:
    input x: [5]; target t: [5];
    param shift: [5] = Zeros; Add(x, shift);
    loss: Perceptron(_, t);
}

case! { loss of catalogue_losses, perceptron_image PerceptronImageCase:
    input x: [2, 3, 2]; target t: [2, 3, 2];
    param shift: [2, 3, 2] = Zeros; Add(x, shift);
    loss: Perceptron(_, t);
}
