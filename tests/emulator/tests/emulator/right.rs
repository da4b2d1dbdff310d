//! Kernels without mistakes: the same right results under every schedule, for any number of blocks, checked or not.

use crate::support::*;
use kiln::__private::cuda::{Accelerator, Node, Region, Run};
use kiln::__private::plan::Access;
use kiln_emulator::{Emulator, Settings};

/// To so many bits of mantissa.
fn rounded(values: &[f32], bits: u32, ties_to_even: bool) -> Vec<f32> {
    let low = 23 - bits;
    let round = |value: &f32| {
        let bits = value.to_bits();
        let half = 1 << (low - 1);
        let add = if ties_to_even { half - 1 + (bits >> low & 1) } else { half };
        f32::from_bits((bits + add) >> low << low)
    };
    values.iter().map(round).collect()
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance * (1.0 + expected.abs()), "[{i}]: {found}, expected {expected}");
    }
}

#[test]
fn single_precision_gemm() {
    let expected = product(&whole(128 * 48, 7, 11), &whole(48 * 128, 5, 13), 128, 128, 48);
    everywhere(&sgemm(""), |results| assert_eq!(results[2], expected));
}

#[test]
fn tensor_core_gemm() {
    let (m, n, k) = (128, 256, 32);
    // Needs more bits than either format has.
    let spread = |values: Vec<f32>| values.iter().map(|x| x / 701.0).collect::<Vec<f32>>();
    let (a, b) = (spread(whole(m * k, 7, 1009)), spread(whole(k * n, 5, 1013)));
    for (defines, bits, ties_to_even) in [("", 10, false), ("#define BF16", 7, true)] {
        let expected = product(&rounded(&a, bits, ties_to_even), &rounded(&b, bits, ties_to_even), m, n, k);
        let exact = product(&a, &b, m, n, k);
        let differs = expected.iter().zip(&exact).any(|(rounded, exact)| (rounded - exact).abs() > 1e-3 * exact.abs());
        assert!(differs, "the operands must not be exact in {bits} bits");
        everywhere(&tensor_gemm(defines, &a, &b, (m, n, k)), |results| assert_near(&results[2], &expected, 2e-6));
    }
}

#[test]
fn row_softmax() {
    let case = softmax("");
    let Values::Given(x) = &case.args[0].values else { unreachable!() };
    let expected: Vec<f32> = x
        .chunks(300)
        .flat_map(|row| {
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = row.iter().map(|x| (x - largest).exp()).sum();
            row.iter().map(move |x| (x - largest).exp() / sum)
        })
        .collect();
    everywhere(&case, |results| assert_near(&results[1], &expected, 1e-6));
}

#[test]
fn ldmatrix_gives_lanes_their_halfwords() {
    everywhere(&ldmatrix(""), |results| {
        for (i, value) in results[1].iter().enumerate() {
            let (warp, lane, register) = (i / 128, i / 4 % 32, i % 4);
            // Tiles of 8 × 8 in the order (0, 0), (1, 0), (0, 1), (1, 1); row lane / 4, columns 2 (lane % 4) and the next.
            let (row, column) = (lane / 4 + register % 2 * 8, lane % 4 * 2 + register / 2 * 8);
            let first = (warp * 256 + row * 16 + column) as u32;
            assert_eq!(value.to_bits(), first | (first + 1) << 16, "warp {warp}, lane {lane}, register {register}");
        }
    });
}

#[test]
fn map_of_a_vector() {
    let expected: Vec<f32> = whole(13 * 101, 3, 17).iter().map(|x| 2.0 * x + 1.0).collect();
    everywhere(&map(""), |results| assert_eq!(results[1], expected));
    // Reads and writes the same memory, each thread its own.
    let mut case = map("#define IN_PLACE 0");
    case.args[0].access = Access::ReadWrite;
    everywhere(&case, |results| assert_eq!(results[0], expected));
    // Two carve-outs that all threads take alike, the first again from a copy of the cursor.
    let takes = "#define TAKES KilnShared again = shared; float* s = shared.take<float>(8); shared.take<u8>(5); \
                 again.take<float>(8); if (kiln_thread() < 8) s[kiln_thread()] = 1.0f;";
    everywhere(&map(takes), |results| assert_eq!(results[1], expected));
}

#[test]
fn merged_phases_find_their_blocks() {
    if !can_run() {
        return;
    }
    for checked in [false, true] {
        let emulator = Emulator::new(Settings { checked, ..Settings::default() });
        let case =
            Case { kernel: "merged", text: MERGED, defines: String::new(), shared: 0, work: 0, batch: 3, args: vec![] };
        let kernel = emulator.load(&[unit(&case)]).unwrap()[0];
        let x = place(&emulator, &Values::Given(whole(1000, 1, 7))).0;
        let outputs = [700, 1000].map(|floats| (place(&emulator, &Values::Unwritten(floats)).0, floats));
        let values = Run { seed: (7 << 32) | 5, step: 11, share: 0.5, max_norm: 0.0, mean: 0 };
        let run = run_values(&emulator);
        let words = [values.seed, values.step].into_iter().flat_map(u64::to_le_bytes);
        let run_bytes: Vec<u8> = words.chain(bytes(&[values.share, values.max_norm])).collect();
        // SAFETY: allocated with as many bytes.
        unsafe { emulator.upload(run, &run_bytes) }.unwrap();
        let region =
            |name: &str, at, floats: usize, access| Region { name: name.into(), at, bytes: floats * 4, access };
        let node = Node {
            kernel,
            name: "merged".into(),
            parts: vec![2, 1000],
            args: vec![x, outputs[0].0, outputs[1].0],
            run,
            batch: 3,
            regions: vec![
                region("x", x, 1000, Access::Read),
                region("one", outputs[0].0, 700, Access::Write),
                region("other", outputs[1].0, 1000, Access::Write),
            ],
            after: vec![],
        };
        let graph = emulator.record(&[node]).unwrap();
        for (schedule, blocks) in [(0, None), (1, Some(1)), (2, Some(3)), (3, Some(5))] {
            emulator.set_schedule(schedule);
            emulator.set_blocks(blocks);
            // SAFETY: nothing was freed, and the outputs have so many words.
            unsafe {
                outputs.iter().for_each(|&(at, floats)| emulator.fill(at, floats, 0x7FC0_0000).unwrap());
                emulator.launch(graph).unwrap();
            }
            let expected: Vec<f32> = whole(1000, 1, 7).iter().map(|x| x + 3.0).collect();
            assert_eq!(fetch(&emulator, outputs[0].0, 700), expected[..700]);
            let expected: Vec<f32> = whole(1000, 1, 7).iter().map(|x| x * 0.5 + 7.0 + 11.0).collect();
            assert_eq!(fetch(&emulator, outputs[1].0, 1000), expected);
        }
    }
}
