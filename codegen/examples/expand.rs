//! Seconds that each stage of an expansion takes, of the networks of a file (the inside of a `network!`):
//!
//!     cargo run --release -p kiln-codegen --example expand -- FILE [tokens]

use kiln_codegen::declaration::{Fusion, Source};
use kiln_codegen::schedule::Target;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: expand FILE [tokens]")?;
    let shown = std::env::args().nth(2).is_some_and(|word| word == "tokens");
    let text: proc_macro2::TokenStream = std::fs::read_to_string(&file)?.parse()?;
    let start = Instant::now();
    let (declarations, _, errors) = kiln_codegen::lower::frontend(text);
    let front = start.elapsed().as_secs_f64();
    for error in errors.iter() {
        eprintln!("error: {}", error.text());
    }
    let (mut cpu_s, mut cuda_s, mut emit_s) = (0.0, 0.0, 0.0);
    for declaration in &declarations {
        let cpu = Target::cpu_for(declaration, Fusion::On);
        let cuda = Target::cuda(Fusion::On, declaration.precision);
        for member in &declaration.members {
            let start = Instant::now();
            let programs = std::rc::Rc::new(kiln_codegen::schedule::Programs::of(&member.module));
            let on_cpu = kiln_codegen::plan_programs(&member.module, programs.clone(), &cpu);
            cpu_s += start.elapsed().as_secs_f64();
            let start = Instant::now();
            let on_cuda = kiln_codegen::plan_programs(&member.module, programs, &cuda);
            cuda_s += start.elapsed().as_secs_f64();
            let start = Instant::now();
            let tokens = on_cpu.expand(&member.module, &on_cuda, &Source::default());
            emit_s += start.elapsed().as_secs_f64();
            if shown {
                println!("{tokens}");
            }
        }
    }
    eprintln!(
        "front {front:.3} cpu {cpu_s:.3} cuda {cuda_s:.3} emit {emit_s:.3} total {:.3}  {file}",
        front + cpu_s + cuda_s + emit_s
    );
    if errors.is_empty() { Ok(()) } else { Err(format!("{file}: {} mistakes", errors.len()).into()) }
}
