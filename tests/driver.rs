//! A model on a GPU, as the driver sees it: `tests/common/driver.c` pretends one that computes nothing and writes down what it
//! is asked to do. Needs NVRTC and a C compiler, and skips without them.

#[path = "../examples/networks/mod.rs"]
mod networks;
#[path = "common/pretended.rs"]
mod pretended;
#[path = "common/skip.rs"]
mod skip;

use kiln::__private::cuda::Nvrtc;
use kiln::prelude::*;
use networks::Mlp;
use pretended::pretended;
use std::process::Command;

/// Set in the process that the test starts: a library is loaded once, and its folder is named before.
const STARTED: &str = "KILN_TEST_DRIVER_STARTED";

const STEPS: usize = 6;

#[test]
fn a_step_is_one_graph_of_few_launches() {
    if std::env::var_os(STARTED).is_some() {
        return train();
    }
    if let Err(why) = Nvrtc::find() {
        return skip::skip(&why);
    }
    let Some(folder) = pretended() else { return };
    let cache = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_step_is_one_graph_of_few_launches", "--nocapture"])
        .env(STARTED, "1")
        .env("LD_LIBRARY_PATH", folder.path())
        .env("KILN_CACHE", cache.path())
        .env_remove("KILN_CUDA")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let (cold, rest) = text.split_once("warm\n").expect("the steps are marked");
    let (warm, _) = rest.split_once("end\n").expect("so is their end");

    let step = Mlp::plan().cuda.step.expect("it can be trained");
    let launches = step.variants[0].launches.len();
    assert!(launches <= 6, "{launches} launches");
    // One graph for each of the two upload buffers.
    let graph = format!("graph of {launches}");
    assert_eq!(cold.lines().filter(|line| *line == graph).count(), 2, "{cold}");
    let nodes = cold.lines().filter(|line| line.starts_with("node "));
    assert_eq!(nodes.clone().count(), 2 * launches);
    // A chain: all but the first start while the one before still runs.
    assert_eq!(nodes.filter(|line| line.contains("(port 1 to 0, type 1)")).count(), 2 * (launches - 1), "{cold}");
    // Once warm, a step is one call, and nothing is made or allocated.
    let launch = format!("launch {launches}");
    assert_eq!(warm.lines().collect::<Vec<_>>(), vec![launch.as_str(); STEPS]);
}

fn train() {
    let mut model = Mlp::new(&Device::Cuda(0), 1).unwrap();
    assert_eq!(Device::best(), Device::Cuda(0));
    let images = Rows::from_vec(vec![0.5; 64 * 784]).unwrap();
    let batch = Dataset::new(images, Classes::from_vec(vec![3; 64]).unwrap()).unwrap();
    let mut optimizer = Sgd { lr: 0.01, momentum: 0.9, ..Sgd::default() }.bind(&model).unwrap();
    for step in 0..2 * STEPS {
        if step == STEPS {
            println!("warm");
        }
        model.train_step(&batch, &mut optimizer).unwrap();
    }
    println!("end");
}
