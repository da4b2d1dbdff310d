use kiln_codegen::lower::frontend;
fn main() {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::io::stdin(), &mut text).unwrap();
    let (d, s, e) = frontend(text.parse().unwrap());
    for e in e.iter() {
        let f = e.source.first;
        println!("--- {}:{} `{}`\n{}", f.start().line, f.start().column, f.source_text().unwrap_or_default(), e.text());
    }
    for s in &s {
        println!("stub {} {:?}", s.ident, s.outputs.is_some());
    }
    for d in &d {
        let m = &d.members[0].module;
        println!("== {} params {}", d.ident, m.params.iter().map(|p| p.dims.iter().product::<usize>()).sum::<usize>());
        if std::env::args().nth(1).is_some() {
            for p in &m.params {
                println!("{} {:?} {:?}", p.name, p.dims, p.init);
            }
            for (i, n) in m.training.graph.nodes.iter().enumerate() {
                println!(
                    "%{i} {} {:?} {:?} b={} {}",
                    n.op.name(),
                    n.inputs.iter().map(|v| v.0).collect::<Vec<_>>(),
                    n.ty.shape.dims,
                    n.ty.shape.batch,
                    m.training.graph.layers[i]
                );
            }
            for l in &m.layers {
                println!("{l:?}");
            }
        }
    }
}
