use super::mini::{Mini, data, model};
use crate::optim::{Adam, Optimizer};
use crate::{Device, Network};
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
    fc.bias: expected F32, the file has I64",
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
