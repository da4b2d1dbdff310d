//! Prints what the compiler decides about the networks of a file (the inside of a `network!`), without rustc:
//!
//!     cargo run -p kiln-codegen --example dump -- FILE [unfused] [graph] [schedule] [memory] [cpu]

use kiln_codegen::declaration::{Dump, Fusion, Precision};
use kiln_codegen::schedule::Target;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file =
        arguments.next().ok_or("usage: dump FILE [unfused] [tf32] [bf16] [graph] [schedule] [memory] [cpu] [cuda]")?;
    let (mut stages, mut fusion, mut precision) = (Vec::new(), Fusion::On, Precision::F32);
    for word in arguments {
        match word.as_str() {
            "unfused" => fusion = Fusion::Off,
            "graph" => stages.push(Dump::Graph),
            "schedule" => stages.push(Dump::Schedule),
            "memory" => stages.push(Dump::Memory),
            "cpu" => stages.push(Dump::Cpu),
            "cuda" => stages.push(Dump::Cuda),
            "tf32" => precision = Precision::Tf32,
            "bf16" => precision = Precision::Bf16,
            other => return Err(format!("unknown stage `{other}`").into()),
        }
    }
    if stages.is_empty() {
        stages.push(Dump::Schedule);
    }
    let text = std::fs::read_to_string(&file)?;
    let (declarations, _, errors) = kiln_codegen::lower::frontend(text.parse()?);
    for error in errors.iter() {
        eprintln!("error: {}", error.text());
    }
    for declaration in &declarations {
        let cpu = Target::cpu_for(declaration, fusion);
        for member in &declaration.members {
            for target in [&cpu, &Target::cuda(fusion, precision)] {
                let plans = kiln_codegen::plan(&member.module, target);
                print!("{}", plans.dump(&member.module, &stages));
            }
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(format!("{file}: {} mistakes", errors.len()).into()) }
}
