//! The engine on a device that is not the CPU: `Fake` runs what it is given, and says what that was.

use super::fake::Fake;
use super::mini::{Batch, Mini, data};
use crate::data::Classes;
use crate::device::cuda::{Run, pass_unit};
use crate::network::NO_PLAN;
use crate::optim::ROW;
use crate::optim::{Adam, Optimizer, Sgd};
use crate::plan::Plan;
use crate::train::Trainer;
use crate::{Device, Error, Model, Network};
use ndarray::ArrayD;

fn all(model: &Model<Mini>) -> Vec<ArrayD<f32>> {
    model.parameters().map(|p| model.parameter(p.name).unwrap()).collect()
}

/// On the CPU and on a fake device.
fn pair(seed: u64) -> (Model<Mini>, Model<Mini>, &'static Fake) {
    let fake = Fake::leak();
    (super::mini::model(seed), fake.model(seed), fake)
}

#[test]
fn evaluation_is_the_cpus() {
    let (cpu, model, _) = pair(3);
    assert_eq!(all(&model), all(&cpu));
    let data = data(2500);
    let logits = model.forward(data.inputs()).unwrap();
    assert_eq!(logits.as_slice(), cpu.forward(data.inputs()).unwrap().as_slice());
    let (a, b) = (model.evaluate(&data).unwrap(), cpu.evaluate(&data).unwrap());
    assert_eq!((a.loss, a.accuracy, a.confusion().total()), (b.loss, b.accuracy, 2500));
    let (a, b) = (model.gradients(&data.take(7)).unwrap(), cpu.gradients(&data.take(7)).unwrap());
    assert_eq!(a.step, b.step);
    assert!(a.iter().eq(b.iter()));
    assert_eq!(all(&model), all(&cpu), "gradients change nothing");
}

#[test]
fn training_is_the_cpus() {
    fn run<O: Optimizer>(optimizer: O) {
        let (mut cpu, mut model, fake) = pair(5);
        let mut bound = [optimizer.clone().bind(&cpu).unwrap(), optimizer.bind(&model).unwrap()];
        for step in 0..6 {
            let batch = data(if step == 3 { 9 } else { 24 });
            let expected = cpu.train_step(&batch, &mut bound[0]).unwrap();
            assert_eq!(model.train_step(&batch, &mut bound[1]).unwrap(), expected, "step {step}");
            assert_eq!(all(&model), all(&cpu), "step {step}");
        }
        assert_eq!(bound.map(|b| b.steps()), [6, 6]);
        let state = fake.state();
        let nodes = state.graphs[0].as_ref().unwrap();
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(
            names,
            ["mini_forward", "mini_loss", "mini_weight", "mini_bias", "mini_running", "kiln_optimizer_pass"]
        );
        assert_eq!((nodes[0].parts.as_slice(), nodes[0].batch), ([2].as_slice(), 24));
        assert_eq!(nodes[5].after, [2, 3, 4], "the pass comes after all that no other launch follows");
    }
    run(Sgd { lr: 0.3, ..Sgd::default() });
    run(Sgd { lr: 0.3, momentum: 0.9, dampening: 0.1, weight_decay: 0.01, ..Sgd::default() });
    run(Adam { lr: 0.05, weight_decay: 0.01, ..Adam::default() });
}

#[test]
fn accumulated_batches_are_the_cpus() {
    let (mut cpu, mut model, fake) = pair(9);
    let adam = Adam { lr: 0.05, weight_decay: 0.01, ..Adam::default() };
    let mut bound = [adam.bind(&cpu).unwrap(), adam.bind(&model).unwrap()];
    assert!(matches!(model.apply(&mut bound[1]), Err(Error::NothingAccumulated)));
    for _ in 0..3 {
        for (model, bound) in [&mut cpu, &mut model].into_iter().zip(&mut bound) {
            model.accumulate(&data(24)).unwrap();
            model.accumulate(&data(11)).unwrap();
            model.apply(bound).unwrap();
        }
        assert_eq!(all(&model), all(&cpu));
    }
    let loaded: Vec<String> = fake.state().loads.concat();
    assert_eq!(loaded.iter().filter(|name| *name == "mini_weight").count(), 1, "it only ever stores: {loaded:?}");
}

#[test]
fn a_warm_step_only_uploads_and_launches() {
    let (_, mut model, fake) = pair(1);
    let mut optimizer = Adam::default().bind(&model).unwrap();
    let batch = data(16);
    for _ in 0..2 {
        model.train_step(&batch, &mut optimizer).unwrap();
    }
    let (allocations, graphs, loads) = {
        let mut state = fake.state();
        state.uploads.clear();
        state.launches.clear();
        state.downloads = 0;
        (state.allocations, state.graphs.len(), state.loads.len())
    };
    for step in 0..4 {
        // What changes from step to step is in memory.
        optimizer.config.lr = 1e-3 * step as f64;
        model.train_step(&batch, &mut optimizer).unwrap();
    }
    model.train_step_without_report(&batch, &mut optimizer).unwrap();
    let state = fake.state();
    assert_eq!((state.allocations, state.graphs.len(), state.loads.len()), (allocations, graphs, loads));
    assert_eq!(state.downloads, 4, "loss and correct at once, and none where nobody asks");
    let sizes: Vec<usize> = state.uploads.iter().map(|(_, bytes)| *bytes).collect();
    assert_eq!(sizes, [2 * ROW * 4, 16 * 16, 16 * 4, size_of::<Run>()].repeat(5));
    let places: Vec<u64> = state.uploads.iter().skip(1).step_by(4).map(|(at, _)| *at).collect();
    assert!(places.windows(2).all(|w| w[0] != w[1]) && places[0] == places[2], "two buffers take turns: {places:?}");
    assert!(state.launches[0] != state.launches[1] && state.launches[0] == state.launches[2]);
}

#[test]
fn kernels_of_a_program_are_loaded_at_once() {
    let (_, mut model, fake) = pair(1);
    assert!(fake.state().loads.is_empty());
    let batch = data(16);
    let mut sgd = Sgd::default().bind(&model).unwrap();
    let mut adam = Adam::default().bind(&model).unwrap();
    model.train_step(&batch, &mut sgd).unwrap();
    let step = ["mini_forward", "mini_loss", "mini_weight", "mini_bias", "mini_running", "kiln_optimizer_pass"];
    assert_eq!(fake.state().loads, [step.to_vec()]);
    model.train_step(&data(30), &mut sgd).unwrap();
    model.forward(batch.inputs()).unwrap();
    assert_eq!(fake.state().loads.len(), 1);
    model.train_step(&batch, &mut adam).unwrap();
    model.gradients(&batch).unwrap();
    let state = fake.state();
    assert_eq!(state.loads[1], ["mini_weight", "kiln_optimizer_pass"], "for another rule");
    assert_eq!(state.loads[2], ["mini_weight"], "which stores the gradient");
}

#[test]
fn growing_drops_graphs() {
    let (cpu, model, fake) = pair(2);
    let forward = |samples: usize| {
        let batch = data(samples);
        let expected = cpu.forward(batch.inputs()).unwrap();
        assert_eq!(model.forward(batch.inputs()).unwrap().as_slice(), expected.as_slice());
    };
    forward(3);
    forward(16);
    assert_eq!(fake.state().graphs(), (2, 2), "both fit into the memory of 16");
    forward(17);
    assert_eq!(fake.state().graphs(), (3, 1));
    forward(3);
    assert_eq!(fake.state().graphs(), (4, 2));
    drop(model);
    assert_eq!(fake.state().graphs().1, 0);
}

#[test]
fn optimizers_come_and_go() {
    let (_, mut model, fake) = pair(2);
    let batch = data(16);
    // Kept, so that their memory lies in different places.
    let mut bound: Vec<_> = (0..70).map(|_| Adam::default().bind(&model).unwrap()).collect();
    for optimizer in &mut bound {
        model.train_step(&batch, optimizer).unwrap();
    }
    assert_eq!(fake.state().graphs(), (70, 64));
}

#[test]
fn the_best_epoch_is_left_in_the_model() {
    let train = data(60);
    // The validation labels are wrong, so that learning makes the validation loss worse.
    let wrong = Classes::from_vec(data(60).targets().iter().map(|label| (label + 1) % 3).collect()).unwrap();
    let valid = Batch::new(train.inputs().clone(), wrong).unwrap();
    let (mut cpu, mut model, _) = pair(1);
    for model in [&mut cpu, &mut model] {
        let trainer = Trainer::new(model, Sgd { lr: 0.5, ..Sgd::default() }).epochs(20).early_stopping(3).quiet();
        let report = trainer.fit(&train, &valid).unwrap();
        assert_eq!((report.best().epoch, report.epochs.len()), (1, 4));
    }
    assert_eq!(all(&model), all(&cpu));
}

#[test]
fn files_go_between_devices() {
    let (mut cpu, model, fake) = pair(4);
    let file = tempfile::tempdir().unwrap();
    let file = file.path().join("mini.safetensors");
    cpu.set_parameter("fc.bias", ndarray::arr1(&[1.0, 2.0, 3.0]).view().into_dyn()).unwrap();
    cpu.save(&file).unwrap();
    let opened = Mini::open(&file, &Device::Other(fake)).unwrap();
    assert_eq!(all(&opened), all(&cpu));
    assert_ne!(all(&opened), all(&model));
    opened.save(&file).unwrap();
    cpu = Mini::open(&file, &Device::cpu()).unwrap();
    assert_eq!(all(&opened), all(&cpu));
    // Padding stays zero wherever parameters come from.
    let (mut params, mut states) = (Vec::new(), Vec::new());
    opened.engine.snapshot(&mut params, &mut states).unwrap();
    assert_eq!((params.len(), states.len()), (32, 16));
    assert!((3..16).chain(28..32).all(|i| params[i] == 0.0), "{params:?}");
}

#[test]
fn optimizers_of_other_devices() {
    let (mut cpu, mut model, fake) = pair(1);
    let (mut here, mut there) = (Sgd::default().bind(&cpu).unwrap(), Sgd::default().bind(&model).unwrap());
    let text = cpu.train_step(&data(16), &mut there).unwrap_err().to_string();
    assert_eq!(text, "cpu: the optimizer was bound to a model on fake; help: `bind` it to this model");
    let text = model.train_step(&data(16), &mut here).unwrap_err().to_string();
    assert_eq!(text, "fake: the optimizer was bound to a model on cpu; help: `bind` it to this model");
    assert!(Fake::leak().model::<Mini>(1).train_step(&data(16), &mut there).is_err());
    fake.model::<Mini>(2).train_step(&data(16), &mut there).unwrap();
    assert_eq!(Device::Other(fake), Device::Other(fake));
    assert_ne!(Device::Other(fake), Device::Other(Fake::leak()));
    assert_eq!(Device::Other(fake).to_string(), "fake");
}

#[test]
fn too_little_memory() {
    let (_, mut model, fake) = pair(1);
    let mut optimizer = Adam::default().bind(&model).unwrap();
    model.train_step(&data(16), &mut optimizer).unwrap();
    fake.state().limit = Some(1 << 16);
    let text = model.train_step(&data(4000), &mut optimizer).unwrap_err().to_string();
    assert_eq!(text, "fake: activations of a batch of 4000 of Mini: 128000 bytes are too many");
    model.train_step(&data(16), &mut optimizer).unwrap();
    assert_eq!(optimizer.steps(), 2);
    fake.state().limit = Some(8);
    let text = Mini::new(&Device::Other(fake), 1).err().unwrap().to_string();
    assert_eq!(text, "fake: numbers of a step of Mini: 32 bytes are too many");
    fake.state().limit = None;
    let text = model.train_step(&data(5000), &mut optimizer).unwrap_err().to_string();
    assert_eq!(text, "the batch size of Mini must be smaller, but it is 5000");
}

#[test]
fn a_network_for_the_cpu_only() {
    struct CpuOnly;
    // SAFETY: a plan without programs runs no kernel.
    unsafe impl Network for CpuOnly {
        type Inputs = crate::data::Rows<4>;
        type Targets = Classes<3>;
        type Outputs = crate::data::Rows<3>;
        const NAME: &'static str = "CpuOnly";
        const PARAMETERS: usize = 0;
        const FORWARD_FLOPS: u64 = 0;

        fn plan() -> &'static Plan {
            static PLAN: Plan = Plan { name: "CpuOnly", ..NO_PLAN };
            &PLAN
        }
    }
    let text = CpuOnly::new(&Device::Other(Fake::leak()), 1).err().unwrap().to_string();
    assert_eq!(text, "fake: CpuOnly was compiled for the CPU only; help: Device::cpu()");
}

#[test]
fn the_optimizers_own_kernel_is_whole() {
    let unit = pass_unit("return p - u[0] * g;\n", 0);
    for piece in ["STATES = 0;", "    return p - u[0] * g;\n", "typedef KilnUpdate<KilnRule> KilnOptimizer;"] {
        assert!(unit.optimizer.contains(piece), "{piece} in\n{}", unit.optimizer);
    }
    assert!(unit.text.contains("KILN_KERNEL(kiln_optimizer_pass, 6, 1)"));
}
