//! Seconds that each stage of an expansion takes, of the networks of a file (the inside of a `network!`):
//!
//!     cargo run --release -p kiln-codegen --example expand -- FILE [tokens]

use kiln_codegen::declaration::{Fusion, Source};
use kiln_codegen::schedule::Target;
use std::time::Instant;

/// Seconds of processor time of this process, where the system tells them; else by the clock.
fn seconds(start: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: expand FILE [tokens]")?;
    let shown = std::env::args().nth(2).is_some_and(|word| word == "tokens");
    let text: proc_macro2::TokenStream = std::fs::read_to_string(&file)?.parse()?;
    let begin = Instant::now();
    let start = seconds(begin);
    let (declarations, _, errors) = kiln_codegen::lower::frontend(text);
    let front = seconds(begin) - start;
    for error in errors.iter() {
        eprintln!("error: {}", error.text());
    }
    let (mut cpu_s, mut cuda_s, mut emit_s) = (0.0, 0.0, 0.0);
    for declaration in &declarations {
        let cpu = Target::cpu_for(declaration, Fusion::On);
        let cuda = Target::cuda(Fusion::On, declaration.precision);
        for member in &declaration.members {
            let start = seconds(begin);
            let programs = std::rc::Rc::new(kiln_codegen::schedule::Programs::of(&member.module));
            let on_cpu = kiln_codegen::plan_programs(&member.module, programs.clone(), &cpu);
            cpu_s += seconds(begin) - start;
            let start = seconds(begin);
            let on_cuda = kiln_codegen::plan_programs(&member.module, programs, &cuda);
            cuda_s += seconds(begin) - start;
            let start = seconds(begin);
            let tokens = on_cpu.expand(&member.module, Some(&on_cuda), &Source::default());
            emit_s += seconds(begin) - start;
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
