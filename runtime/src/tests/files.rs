use super::fake::Fake;
use super::mini::{Mini, data, model};
use crate::optim::{Adam, Optimizer};
use crate::{Device, Load, Network};
use safetensors::tensor::{Dtype, TensorView};
use std::fs;

fn values(model: &crate::Model<Mini>) -> Vec<ndarray::ArrayD<f32>> {
    model.parameters().map(|p| model.parameter(p.name).unwrap()).collect()
}

#[test]
fn saved_models_come_back_with_their_statistics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs/mini.safetensors");
    let mut trained = model(1);
    let mut optimizer = Adam::default().bind(&trained).unwrap();
    trained.train_step(&data(30), &mut optimizer).unwrap();
    trained.save(&path).unwrap();
    trained.save(&path).unwrap();
    let opened = Mini::open(&path, &Device::best()).unwrap();
    assert_eq!(values(&opened), values(&trained));
    assert!(values(&opened)[2].iter().any(|mean| *mean != 0.0));
    let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["mini.safetensors"], "no temporary file is left");
}

fn file(tensors: &[(&str, Dtype, &[usize])]) -> Vec<u8> {
    let bytes = vec![0u8; 4096];
    let views = tensors.iter().map(|(name, dtype, dims)| {
        let size = dims.iter().product::<usize>() * dtype.bitsize() / 8;
        (*name, TensorView::new(*dtype, dims.to_vec(), &bytes[..size]).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn loading_is_strict_and_lists_everything_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let (mut model, fresh) = (model(1), model(1));
    let bytes = file(&[
        ("fc.weight", Dtype::F32, &[10, 4]),
        ("fc.bias", Dtype::I64, &[3]),
        ("head.bias", Dtype::F32, &[3]),
        ("norm.num_batches_tracked", Dtype::I64, &[]),
    ]);
    fs::write(&path, bytes).unwrap();
    let text = model.load(&path).unwrap_err().to_string();
    let expected = format!(
        "{}: these are not the parameters of Mini
  missing in the file (1):
    norm.running_mean [4]
  surplus in the file (1):
    head.bias
  misshapen (2):
    fc.weight: the network has [3, 4], the file [10, 4]
    fc.bias: expected F32, F16, BF16 or F64, the file has I64",
        path.display()
    );
    assert_eq!(text, expected);
    assert_eq!(values(&model), values(&fresh), "a failed load changes nothing");

    let good: [(&str, Dtype, &[usize]); 4] = [
        ("norm.num_batches_tracked", Dtype::I64, &[]),
        ("norm.running_mean", Dtype::F32, &[4]),
        ("fc.bias", Dtype::F32, &[3]),
        ("fc.weight", Dtype::F32, &[3, 4]),
    ];
    fs::write(&path, file(&good)).unwrap();
    model.load(&path).unwrap();
    assert!(values(&model).iter().flatten().all(|value| *value == 0.0));
}

#[test]
fn broken_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.safetensors");
    let mut model = model(1);
    assert!(model.load(&path).unwrap_err().to_string().contains("broken.safetensors: No such file"));
    model.save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in [0, 1, 7, 8, 20, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let text = model.load(&path).unwrap_err().to_string();
        assert!(text.contains("this is no complete safetensors file"), "{length}: {text}");
    }
    fs::write(&path, b"PK\x03\x04 a zip file, or a .pth as PyTorch writes it").unwrap();
    assert!(model.load(&path).is_err());
    assert!(model.save(folder.path().join("broken.safetensors/model")).is_err(), "a file is no folder");
    assert!(model.save("/").is_err());
}

#[test]
fn partial_loading_says_what_it_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrapped.safetensors");
    let (mut model, fresh) = (model(1), model(1));
    let bytes = file(&[
        ("module.fc.weight", Dtype::F32, &[10, 4]),
        ("module.fc.bias", Dtype::F32, &[3]),
        ("module.head.bias", Dtype::F32, &[3]),
        ("norm.running_mean", Dtype::F32, &[4]),
        ("module.norm.num_batches_tracked", Dtype::I64, &[]),
    ]);
    fs::write(&path, bytes).unwrap();

    let load = Load::strict().strip_prefix("module.");
    let text = model.load_with(&path, load.clone()).unwrap_err().to_string();
    assert!(text.contains("surplus in the file (1):\n    head.bias"), "{text}");
    assert!(text.contains("misshapen (1):\n    fc.weight: the network has [3, 4], the file [10, 4]"), "{text}");
    assert_eq!(values(&model), values(&fresh));

    let loaded = model.load_with(&path, load.except("fc.weight").except("head.*")).unwrap();
    assert_eq!(loaded.loaded, ["fc.bias", "norm.running_mean"]);
    assert_eq!(loaded.kept, ["fc.weight"]);
    assert_eq!(loaded.left, ["fc.weight", "head.bias"]);
    assert_eq!(loaded.to_string(), "2 loaded; kept: fc.weight; left in the file: fc.weight, head.bias");
    let (found, before) = (values(&model), values(&fresh));
    assert_eq!(found[0], before[0]);
    assert!(found[1].iter().all(|value| *value == 0.0) && found[1] != before[1]);

    let text = model.load_with(&path, Load::strict().except("fd.*")).unwrap_err().to_string();
    let expected =
        format!("Load::except must be a pattern of names in Mini or in {}, but it is \"fd.*\"", path.display());
    assert_eq!(text, expected);
    let twice = file(&[("module.fc.bias", Dtype::F32, &[3]), ("fc.bias", Dtype::F32, &[3])]);
    fs::write(&path, twice).unwrap();
    let text = model.load_with(&path, Load::strict().strip_prefix("module.")).unwrap_err().to_string();
    assert!(text.ends_with("it has both `fc.bias` and `module.fc.bias`"), "{text}");
}

#[test]
fn models_copy_each_other() {
    let fake = Fake::leak();
    let (mut here, mut there) = (model(1), fake.model::<Mini>(2));
    let mut optimizer = Adam::default().bind(&here).unwrap();
    here.train_step(&data(30), &mut optimizer).unwrap();
    assert_ne!(values(&here), values(&there));
    there.copy_from(&here).unwrap();
    assert_eq!(values(&here), values(&there));
    let mut other = model(3);
    let bias = values(&other)[1].clone();
    let loaded = other.copy_with(&there, Load::strict().except("fc.bias")).unwrap();
    assert_eq!((loaded.kept, loaded.loaded.len()), (vec!["fc.bias".to_owned()], 2));
    assert_eq!((&values(&other)[0], &values(&other)[1]), (&values(&here)[0], &bias));
}

#[test]
fn other_widths_of_floats_become_f32() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wide.safetensors");
    let (mut model, fresh) = (model(1), model(1));
    let weight: Vec<f64> = (0..12).map(|i| f64::from(i) * 0.1).collect();
    let save = |largest: f64| {
        let mut weight = weight.clone();
        weight[7] = largest;
        // 1, -0.5 and the smallest number of half precision; 1, -2 and 2¹²⁷ of bfloat16, whose fourth is infinity.
        let half = [0x3c00u16, 0xb800, 0x0001].map(u16::to_le_bytes).concat();
        let brain = [0x3f80u16, 0xc000, 0x7f00, 0x7f80].map(u16::to_le_bytes).concat();
        let double: Vec<u8> = weight.iter().flat_map(|value| value.to_le_bytes()).collect();
        let views = [
            ("fc.weight", TensorView::new(Dtype::F64, vec![3, 4], &double).unwrap()),
            ("fc.bias", TensorView::new(Dtype::F16, vec![3], &half).unwrap()),
            ("norm.running_mean", TensorView::new(Dtype::BF16, vec![4], &brain).unwrap()),
        ];
        fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    };
    save(1e39);
    let text = model.load(&path).unwrap_err().to_string();
    let expected = "`fc.weight`: value 7 is 1e39 in F64, which is too large for f32";
    assert_eq!(text, format!("{}: {expected}", path.display()));
    assert_eq!(values(&model), values(&fresh), "a failed load changes nothing");
    save(0.7);
    model.load(&path).unwrap();
    let found: Vec<Vec<f32>> = values(&model).into_iter().map(|values| values.into_iter().collect()).collect();
    let rounded: Vec<f32> = weight.iter().enumerate().map(|(i, v)| if i == 7 { 0.7 } else { *v as f32 }).collect();
    assert_eq!(found, [rounded, vec![1.0, -0.5, 2f32.powi(-24)], vec![1.0, -2.0, 2f32.powi(127), f32::INFINITY]]);
}
