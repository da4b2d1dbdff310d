//! Kernels with planted mistakes: the checked mode finds each, under every schedule.

use crate::support::*;
use kiln::__private::plan::Access;

#[test]
fn a_barrier_is_missing_before_shared_memory_is_read() {
    found(&sgemm("#define NO_FIRST_BARRIER"), &["kernel `sgemm`", "shared memory", "(at sgemm.cu:"]);
}

#[test]
fn a_barrier_is_missing_before_shared_memory_is_written_again() {
    found(&sgemm("#define NO_SECOND_BARRIER"), &["race: ", "shared memory", "no barrier between", "(at sgemm.cu:"]);
}

#[test]
fn nobody_waits_for_asynchronous_copies() {
    let case = tensor_gemm("#define NO_WAIT", &whole(128 * 48, 7, 11), &whole(48 * 128, 5, 13), (128, 128, 48));
    found(&case, &["uninitialised read", "an asynchronous copy to it is under way", "(at tensor_gemm.cu:"]);
}

#[test]
fn a_shared_buffer_is_reused_without_a_barrier() {
    found(&softmax("#define NO_BARRIER_BEFORE_REUSE"), &["race: ", "shared memory", "(at softmax.cu:"]);
}

#[test]
fn a_barrier_diverges() {
    found(&softmax("#define DIVERGENT_BARRIER"), &["kernel `softmax`", "softmax.cu:"]);
    let plain = "#define TAKES if (kiln_thread() > 0) kiln_barrier();";
    found(&map(plain), &["deadlock: 255 threads wait at the barrier of map.cu:", "1 have returned"]);
    let warp = "#define TAKES if (kiln_thread() % 32 > 0) kiln_warp_barrier();";
    found(&map(warp), &["deadlock: thread", "waits in kiln_warp_barrier", "map.cu:"]);
    let mixed = "#define TAKES if (kiln_thread() % 2) kiln_warp_barrier(); else kiln_shuffle(1u, 0);";
    found(&map(mixed), &["divergent warp: this thread is at kiln_", "others of its warp at kiln_"]);
}

#[test]
fn shared_memory_is_read_out_of_bounds() {
    found(
        &softmax("#define SHARED_OUT_OF_BOUNDS"),
        &[
            "out of bounds: 4-byte read at byte 32 of the shared memory taken at offset 0, which has 32 bytes",
            "thread 5,",
        ],
    );
}

#[test]
fn global_memory_is_written_out_of_bounds() {
    let mut case = softmax("#define GLOBAL_OUT_OF_BOUNDS");
    // One row, so that what is behind it is behind the region.
    case.batch = 1;
    case.args[1] = writes(300);
    found(&case, &["out of bounds: 4-byte write at byte 1200 (float 300) of `arg1`, which has 1200 bytes"]);
    // Between rows it is in bounds, but another row's and another block's.
    found(&softmax("#define GLOBAL_OUT_OF_BOUNDS"), &["of `arg1`"]);
}

#[test]
fn blocks_accumulate_without_order() {
    let mut case = map("#define ACCUMULATE");
    case.args[1] = reads(&whole(13 * 101, 1, 2));
    case.args[1].access = Access::ReadWrite;
    found(&case, &["race: ", "byte 0 (float 0) of `arg1`", "of the same launch"]);
}

#[test]
fn a_read_only_load_sees_what_the_launch_writes() {
    let mut case = map("#define READ_OWN_WRITE kiln_read_only");
    case.args[1].access = Access::ReadWrite;
    found(&case, &["read-only load of byte", "of `arg1`, which block", "wrote in the same launch"]);
    // The other way round: the load is first.
    let mut case = map(
        "#define TAKES if (first == 0) { float z = kiln_read_only(x); y[1] = z; } kiln_barrier();\n#define IN_PLACE 0",
    );
    case.args[0].access = Access::ReadWrite;
    found(&case, &["write of byte 0 (float 0) of `arg0`, which block", "read by a read-only load in the same launch"]);
    // An ordinary load is right.
    let mut case = map("#define READ_OWN_WRITE *");
    case.args[1].access = Access::ReadWrite;
    let expected: Vec<f32> = whole(13 * 101, 3, 17).iter().map(|x| 2.0 * x + 1.0).collect();
    everywhere(&case, |results| assert_eq!(results[1], expected));
}

#[test]
fn a_region_is_used_against_its_declaration() {
    let case = map("#define IN_PLACE 0");
    found(&case, &["write of byte", "of `arg0`, which the launch declares as only read", "(at map.cu:"]);
    let case = map("#define TAKES if (first == 0) y[1] = y[0];");
    found(&case, &["read of byte 0 (float 0) of `arg1`, which the launch declares as only written"]);
}

#[test]
fn threads_take_different_shared_memory() {
    let case = map("#define TAKES shared.take<float>(kiln_thread() == 9 ? 4 : 8);");
    found(&case, &["threads differ in the shared memory they take", "16 bytes at offset 0", "32 bytes at offset 0"]);
    let case = map("#define TAKES shared.take<float>(4); if (kiln_thread() != 200) shared.take<float>(4);");
    found(&case, &["threads differ in the shared memory they take", "stopped after 1 takes", "16 bytes at offset 16"]);
}

#[test]
fn more_shared_memory_is_taken_than_declared() {
    let case = map("#define TAKES shared.take<float>(9); shared.take<u8>(17);");
    found(&case, &["takes 17 bytes at offset 48", "declares 64 bytes in all", "map.cu:"]);
    let right = map("#define TAKES shared.take<float>(9); shared.take<u8>(16);");
    everywhere(&right, |_| ());
}

#[test]
fn global_memory_is_read_that_nobody_wrote() {
    let mut case = map("");
    case.args[0].values = Values::Unwritten(13 * 101);
    found(&case, &["uninitialised read of byte", "of `arg0`", "(at map.cu:"]);
    let mut case = map("#define TAKES if (cta == 5) x = x + 1;");
    case.args[0] = reads(&whole(13 * 101, 3, 17));
    found(&case, &["out of bounds: 4-byte read at byte 5252 (float 1313) of `arg0`, which has 5252 bytes"]);
}

#[test]
fn lanes_do_not_wait_for_each_other() {
    found(&ldmatrix("#define NO_WARP_BARRIER"), &["kernel `ldmatrix`", "shared memory"]);
}

#[test]
fn an_asynchronous_copy_is_misused() {
    let takes = |body: &str| map(&format!("#define TAKES float* s = shared.take<float>(16); {body}"));
    // Misaligned.
    found(
        &takes("if (first == 0) kiln_copy_async<16>(s + 1, x, true);"),
        &["asynchronous copy of 16 bytes", "not aligned"],
    );
    // Still under way at the end.
    found(&takes("if (first == 0) kiln_copy_async<4>(s, x, true);"), &["1 asynchronous copies are under way"]);
    // Overwritten meanwhile.
    let over = "if (kiln_thread() == 0) kiln_copy_async<4>(s, x, true); kiln_copy_commit(); kiln_barrier(); \
                if (kiln_thread() == 1) s[0] = 1.0f; kiln_copy_wait<0>();";
    found(&takes(over), &["race: "]);
    // Complete for the thread that waited, not yet for others.
    let early = "if (kiln_thread() == 0) kiln_copy_async<4>(s, x, true); kiln_copy_commit(); kiln_barrier(); \
                 kiln_copy_wait<0>(); if (kiln_thread() == 255 && s[0] > 100.0f) y[0] = 1.0f;";
    found(&takes(early), &["of byte 0 (float 0) of the shared memory taken at offset 0"]);
    // What is not valid is zero, and is not read.
    let zeros = "if (kiln_thread() == 0) { kiln_copy_async<16>(s, nullptr, false); kiln_copy_async<16>(s + 4, x, true); } \
                 kiln_copy_commit(); kiln_copy_wait<0>(); kiln_barrier(); if (s[0] + s[3] != 0.0f || s[4] != x[0]) return;";
    let expected: Vec<f32> = whole(13 * 101, 3, 17).iter().map(|x| 2.0 * x + 1.0).collect();
    everywhere(&takes(zeros), |results| assert_eq!(results[1], expected));
}

#[test]
fn shared_memory_is_taken_again_too_early() {
    // The second shape lies on the first; no barrier lets everybody finish with it.
    let takes = |between: &str| {
        map(&format!(
            "#define TAKES KilnShared again = shared; float* s = shared.take<float>(16); if (kiln_thread() < 16) \
             s[kiln_thread()] = 1.0f; kiln_barrier(); float v = s[kiln_thread() % 16]; {between} u32* r = again.take<u32>(8); \
             if (kiln_thread() < 8) r[kiln_thread()] = 7u; kiln_barrier(); if (v != 1.0f || r[kiln_thread() % 8] != 7u) return;"
        ))
    };
    found(&takes(""), &["shared memory"]);
    let expected: Vec<f32> = whole(13 * 101, 3, 17).iter().map(|x| 2.0 * x + 1.0).collect();
    everywhere(&takes("kiln_barrier();"), |results| assert_eq!(results[1], expected));
}

#[test]
fn a_vector_is_not_aligned() {
    let case = map(
        "#define TAKES if (first == 0) { const float4* v = reinterpret_cast<const float4*>(x + 1); y[1] = kiln_read_only(v).x; }",
    );
    found(&case, &["misaligned 16-byte read-only load of byte 4 (float 1) of `arg0`"]);
}
