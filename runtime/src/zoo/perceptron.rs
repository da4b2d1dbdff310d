//! The perceptron, and networks of dense layers.

use kiln_macros::network;

network! {
    /// The perceptron (Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in the
    /// brain", 1958): one layer of threshold units, [INPUTS] → [OUTPUTS] zeros and ones. It starts from zero, as the
    /// perceptron's convergence theorem does; plain `Sgd` with one sample a step is Rosenblatt's rule.
    /// (INPUTS + 1) · OUTPUTS parameters.
    pub block Perceptron<INPUTS = 2, OUTPUTS = 1> {
        input x: [INPUTS];
        target y: [OUTPUTS];

        #[init(weight = Zeros, bias = Zeros)]
        scores: Linear<OUTPUTS>;
        answer: Step;
        output answer;

        loss: Perceptron(scores, y);
    }

    /// One hidden layer of sigmoids, [INPUTS] → [OUTPUTS] real numbers: wide enough, it comes as near to any continuous
    /// function on a bounded set as is asked for (Cybenko, "Approximation by superpositions of a sigmoidal function", 1989).
    /// (INPUTS + 1) · HIDDEN + (HIDDEN + 1) · OUTPUTS parameters.
    pub block TwoLayer<INPUTS = 1, HIDDEN = 32, OUTPUTS = 1> {
        input x: [INPUTS];
        target y: [OUTPUTS];

        hidden: Linear<HIDDEN>; Sigmoid;
        out: Linear<OUTPUTS>;

        loss: Mse(_, y);
    }

    /// A multilayer perceptron (Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", 1986)
    /// with two hidden layers of ReLUs: vectors [INPUTS] → CLASSES scores. 669 706 parameters with the defaults.
    pub block Mlp<INPUTS = 784, HIDDEN = 512, CLASSES = 10> {
        input image: [INPUTS];
        target digit: class<CLASSES>;

        fc1: Linear<HIDDEN>; Relu;
        fc2: Linear<HIDDEN>; Relu;
        fc3: Linear<CLASSES>;

        loss: CrossEntropy(_, digit);
    }
}
