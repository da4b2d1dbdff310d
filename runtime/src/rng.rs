//! Counter-based randomness: Philox-4x32-10 (Salmon, Moraes, Dror and Shaw, 2011).
//!
//! A random number is a pure function of a key and a counter, so nothing depends on the order in which numbers are drawn.
//! Who uses which counters: dropout and noise, in kernels: (element, sample, step, stream) under the model's seed.
//! Initial parameters: (element low, element high, hash of the parameter's name) under the seed with [`INIT`] mixed in,
//! so that another layer does not change them. The order of samples: (epoch, 0, 0, 0) with [`SHUFFLE`] mixed in.

/// Key domains; kernels use domain 0.
pub const INIT: u32 = 0x494e_4954;
pub const SHUFFLE: u32 = 0x5348_5546;

/// The ten-round Philox block function.
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
        }
        let a = u64::from(counter[0]) * 0xd251_1f53;
        let b = u64::from(counter[2]) * 0xcd9e_8d57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
    }
    counter
}

/// The key of a seed in one domain.
pub fn key(seed: u64, domain: u32) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32 ^ domain]
}

/// Top 24 bits as a number in [0, 1).
pub fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Two words as independent standard normal values (Box and Muller's transform).
pub fn normal(a: u32, b: u32) -> (f64, f64) {
    // (0, 1], so that the logarithm is finite
    let u = (f64::from(a) + 1.0) / 4_294_967_296.0;
    let angle = f64::from(b) / 4_294_967_296.0 * std::f64::consts::TAU;
    let radius = (-2.0 * u.ln()).sqrt();
    (radius * angle.cos(), radius * angle.sin())
}

/// FNV-1a.
pub fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// The seed of one epoch's order of samples.
pub fn epoch_seed(seed: u64, epoch: usize) -> u64 {
    let words = philox([epoch as u32, 0, 0, 0], key(seed, SHUFFLE));
    u64::from(words[0]) << 32 | u64::from(words[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known-answer tests of Random123.
    #[test]
    fn known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        assert_eq!(philox(pi, [0xa409_3822, 0x299f_31d0]), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }
}
