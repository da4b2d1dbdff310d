//! Parameter names and shapes against torchvision's (`scripts/torchvision_names.py` writes the lists).

use kiln_codegen::graph::verify::verify;
use kiln_codegen::lower::frontend;
use std::path::Path;

fn check(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/names");
    let read = |ending: &str| std::fs::read_to_string(folder.join(format!("{name}.{ending}"))).unwrap();
    let (declarations, _, errors) = frontend(read("rs").parse().unwrap());
    let texts: Vec<String> = errors.iter().map(|d| d.text()).collect();
    assert!(texts.is_empty(), "{}", texts.join("\n\n"));
    let module = &declarations[0].members[0].module;
    verify(&module.training.graph).unwrap();
    verify(&module.evaluation.graph).unwrap();
    let params = module.params.iter().map(|p| format!("{} {:?}", p.name, p.dims));
    let states = module.states.iter().map(|s| format!("{} {:?}", s.name, s.dims));
    let mut lines: Vec<String> = params.chain(states).collect();
    lines.sort();
    let total: usize = module.params.iter().map(|p| p.dims.iter().product::<usize>()).sum();
    lines.push(format!("total {total}"));
    let text = lines.join("\n") + "\n";
    let golden = read("txt");
    for (ours, theirs) in text.lines().zip(golden.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(text, golden);
}

#[test]
fn alexnet() {
    check("alexnet");
}

#[test]
fn vgg16_bn() {
    check("vgg16_bn");
}

#[test]
fn resnet18() {
    check("resnet18");
}

#[test]
fn resnet50() {
    check("resnet50");
}

#[test]
fn googlenet() {
    check("googlenet");
}
