//! What may not stand before a loss: layers that the loss contains already, and those that it needs.

/// Why a prediction from this layer does not fit a loss.
pub struct Misfit {
    /// The layer itself must change, not the loss.
    pub at_layer: bool,
    pub message: String,
    pub help: &'static str,
}

/// The mistake of giving `loss` a prediction that `producer` made, if it is one.
pub fn misfit(loss: &str, producer: &str) -> Option<Misfit> {
    let (at_layer, takes, help) = match (loss, producer) {
        ("CrossEntropy", "Softmax") => (true, "scores", "remove `Softmax`: the loss has its own"),
        ("CrossEntropy", "LogSoftmax") => (true, "scores", "remove `LogSoftmax`, or use `Nll`"),
        ("BceWithLogits", "Sigmoid") => (true, "scores", "remove `Sigmoid`, or use `Bce`"),
        ("Perceptron", "Step") => (true, "scores", "remove `Step`: the loss compares with it, and it has no slope"),
        ("Nll", "Softmax") => (true, "log probabilities", "write `LogSoftmax` instead"),
        ("Nll", "LogSoftmax") => return None,
        ("Nll", _) => (false, "log probabilities", "put `LogSoftmax;` before the loss, or use `CrossEntropy`"),
        _ => return None,
    };
    let message = format!("`{loss}` takes {takes}, but its prediction comes from `{producer}`");
    Some(Misfit { at_layer, message, help })
}
