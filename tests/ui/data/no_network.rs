use kiln::prelude::*;

struct Digits;

fn main() -> kiln::Result<()> {
    let model = Model::<Digits>::new(&Device::cpu(), 42)?;
    drop(model);
    Ok(())
}
