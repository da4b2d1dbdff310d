//! `LeNet5::diagram()`: a network as a drawing.
//!
//! Layers stand below what they take, in columns: a line goes on in the column of what it takes first, branches open
//! columns to the right. An edge that passes by layers of its own column goes around them on the right.

use crate::error::Result;
use crate::plan::{Plan, Port, PortKind};
use crate::summary::grouped;
use std::fmt::{self, Write};
use std::path::Path;

/// Pixels: a letter, a box, and what lies between boxes.
const LETTER: f64 = 6.7;
const HEIGHT: f64 = 40.0;
const GAP: f64 = 26.0;
/// Room on the right of a column for edges that go around.
const MARGIN: f64 = 28.0;

/// A network as a drawing in SVG: layers with their shapes and parameters, branches, inputs and outputs. Print it, or
/// [`save`](Diagram::save) it.
#[derive(Clone, Debug)]
pub struct Diagram {
    svg: String,
}

/// What is drawn as a box.
struct Node {
    title: String,
    detail: String,
    kind: &'static str,
    from: Vec<usize>,
    row: usize,
    column: usize,
}

impl Diagram {
    pub(crate) fn new(plan: &Plan, name: &str) -> Self {
        let mut nodes = nodes(plan);
        place(&mut nodes);
        Diagram { svg: draw(&nodes, name) }
    }

    /// Writes the SVG; folders on the way are created.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        crate::files::save(path.as_ref(), self.svg.as_bytes())
    }
}

impl fmt::Display for Diagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.svg)
    }
}

/// Inputs, layers and outputs; each after what it takes.
fn nodes(plan: &Plan) -> Vec<Node> {
    let node = |title: &str, detail: String, kind, from: &[usize]| Node {
        title: title.to_owned(),
        detail,
        kind,
        from: from.to_vec(),
        row: 0,
        column: 0,
    };
    let mut nodes: Vec<Node> = plan.inputs.iter().map(|port| node(port.name, shape(port), "port", &[])).collect();
    for layer in plan.layers {
        // A bare position says little, and the path of a `Residual` ends with the word.
        let own = layer.path.rsplit('.').next() == Some(layer.text);
        let title = match (layer.path.chars().all(|c| c.is_ascii_digit()), own) {
            (true, _) => layer.text.to_owned(),
            (false, true) => layer.path.to_owned(),
            (false, false) => format!("{} {}", layer.path, layer.text),
        };
        let shape = format!("{:?}", layer.output);
        let (detail, kind) = match layer.parameters {
            0 => (shape, "plain"),
            1 => (format!("{shape} · 1 parameter"), "trained"),
            many => (format!("{shape} · {} parameters", grouped(many as u64)), "trained"),
        };
        nodes.push(node(&title, detail, kind, layer.from));
    }
    for (port, from) in plan.outputs.iter().zip(plan.returns) {
        nodes.push(node(port.name, shape(port), "port", &[*from]));
    }
    nodes
}

fn shape(port: &Port) -> String {
    match port.kind {
        PortKind::Dense { dims } => format!("{dims:?}"),
        PortKind::Class { classes } => format!("class<{classes}>"),
        PortKind::Ids { dims, below } => format!("ids<{dims:?}, {below}>"),
    }
}

/// Rows by the longest way from an input, columns by branches.
fn place(nodes: &mut [Node]) {
    // The lowest row that is taken in each column.
    let mut bottoms: Vec<Option<usize>> = Vec::new();
    // An input stands above the first that takes it.
    let inputs = nodes.iter().take_while(|n| n.from.is_empty() && n.kind == "port").count();
    let mut order: Vec<usize> = Vec::new();
    for (i, node) in nodes.iter().enumerate().skip(inputs) {
        order.extend(node.from.iter().copied().filter(|from| *from < inputs).chain([i]));
    }
    order.extend(0..inputs);
    let mut placed = vec![false; nodes.len()];
    for i in order {
        if std::mem::replace(&mut placed[i], true) {
            continue;
        }
        let row = nodes[i].from.iter().map(|from| nodes[*from].row + 1).max().unwrap_or(0);
        let mut columns: Vec<usize> = nodes[i].from.iter().map(|from| nodes[*from].column).collect();
        columns.sort_unstable();
        let free = |column: usize| bottoms.get(column).is_none_or(|bottom| bottom.is_none_or(|bottom| bottom < row));
        // Below what it takes, if nothing else has gone on there.
        let continues = |column: &usize| {
            let last = bottoms[*column];
            nodes[i].from.iter().any(|from| nodes[*from].column == *column && Some(nodes[*from].row) == last)
        };
        let own = columns.iter().copied().find(continues);
        let first = columns.first().copied().unwrap_or(0);
        let column = own.unwrap_or_else(|| (first..).find(|column| free(*column)).expect("columns do not end"));
        if bottoms.len() <= column {
            bottoms.resize(column + 1, None);
        }
        bottoms[column] = Some(row);
        (nodes[i].row, nodes[i].column) = (row, column);
    }
}

fn draw(nodes: &[Node], name: &str) -> String {
    let columns = nodes.iter().map(|n| n.column + 1).max().unwrap_or(1);
    let rows = nodes.iter().map(|n| n.row + 1).max().unwrap_or(1);
    let letters = |n: &Node| n.title.chars().count().max(n.detail.chars().count()) as f64;
    let widths: Vec<f64> = (0..columns)
        .map(|column| nodes.iter().filter(|n| n.column == column).map(letters).fold(8.0, f64::max) * LETTER + 24.0)
        .collect();
    // Edges that go around in a column, each on a track of its own.
    let mut around: Vec<Vec<(usize, usize)>> = vec![Vec::new(); columns];
    for node in nodes {
        for from in node.from.iter().map(|from| &nodes[*from]) {
            if from.column == node.column && blocked(nodes, from, node) {
                around[node.column].push((from.row, node.row));
            }
        }
    }
    let tracks: Vec<Vec<usize>> = around.iter().map(|edges| tracks(edges)).collect();
    let mut lefts = vec![20.0];
    for column in 0..columns {
        let most = tracks[column].iter().map(|track| track + 1).max().unwrap_or(0) as f64;
        lefts.push(lefts[column] + widths[column] + MARGIN + 10.0 * most);
    }
    let middle = |n: &Node| lefts[n.column] + widths[n.column] / 2.0;
    let top = |n: &Node| 52.0 + n.row as f64 * (HEIGHT + GAP);
    let (width, height) = (lefts[columns], 52.0 + rows as f64 * (HEIGHT + GAP));
    let width = width.max(name.chars().count() as f64 * 10.0 + 40.0);
    let mut out = String::new();
    let mut put = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    put(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"11\">"
    ));
    put(format!("<title>{}</title>", escaped(name)));
    put("<style>.port rect{fill:#e8f1e4;stroke:#6d9a5b}.trained rect{fill:#e6eefa;stroke:#5b7fb5}.plain rect{fill:#fff;\
         stroke:#999}rect{stroke-width:1.2}.edge{fill:none;stroke:#777;stroke-width:1.3}text{fill:#222}.detail{fill:#666}\
         </style>"
        .to_owned());
    put("<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" markerHeight=\"6\" \
         orient=\"auto\"><path d=\"M0,0 L8,4 L0,8 z\" fill=\"#777\"/></marker></defs>"
        .to_owned());
    put(format!("<rect width=\"{width:.0}\" height=\"{height:.0}\" fill=\"#fcfcfa\" stroke=\"none\"/>"));
    put(format!("<text x=\"20\" y=\"30\" font-size=\"16\" font-weight=\"bold\">{}</text>", escaped(name)));
    let mut met = vec![0; columns];
    for node in nodes {
        for from in node.from.iter().map(|from| &nodes[*from]) {
            let (x0, x1, y0, y1) = (middle(from), middle(node), top(from) + HEIGHT, top(node) - 1.0);
            let path = if from.column == node.column && blocked(nodes, from, node) {
                let track = tracks[node.column][met[node.column]] as f64;
                met[node.column] += 1;
                let (edge, x) = (lefts[node.column] + widths[node.column], lefts[node.column] + widths[node.column]);
                let (x, y0, y1) = (x + 12.0 + 10.0 * track, y0 - HEIGHT / 2.0, y1 + HEIGHT / 2.0 + 1.0);
                format!("M{edge:.1},{y0:.1} H{x:.1} V{y1:.1} H{:.1}", edge + 1.0)
            } else if from.column == node.column {
                format!("M{x0:.1},{y0:.1} V{y1:.1}")
            } else if from.column < node.column {
                format!("M{x0:.1},{y0:.1} V{0:.1} H{x1:.1} V{y1:.1}", y0 + GAP / 2.0)
            } else {
                format!("M{x0:.1},{y0:.1} V{0:.1} H{x1:.1} V{y1:.1}", y1 - GAP / 2.0)
            };
            put(format!("<path class=\"edge\" d=\"{path}\" marker-end=\"url(#tip)\"/>"));
        }
    }
    for node in nodes {
        let (x, y, w, m) = (lefts[node.column], top(node), widths[node.column], middle(node));
        let round = if node.kind == "port" { HEIGHT / 2.0 } else { 5.0 };
        let mut text = String::new();
        let _ = write!(
            text,
            "<g class=\"{}\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{HEIGHT}\" rx=\"{round}\"/>\
             <text x=\"{m:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text class=\"detail\" x=\"{m:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text></g>",
            node.kind,
            y + 17.0,
            escaped(&node.title),
            y + 32.0,
            escaped(&node.detail)
        );
        put(text);
    }
    put("</svg>".to_owned());
    out
}

/// Whether a box stands between two of the same column.
fn blocked(nodes: &[Node], from: &Node, to: &Node) -> bool {
    nodes.iter().any(|n| n.column == from.column && n.row > from.row && n.row < to.row)
}

/// A track for each span of rows, such that spans on one track do not touch; short spans lie inside.
fn tracks(edges: &[(usize, usize)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..edges.len()).collect();
    order.sort_by_key(|i| edges[*i].1 - edges[*i].0);
    let mut taken: Vec<Vec<(usize, usize)>> = Vec::new();
    let mut tracks = vec![0; edges.len()];
    for i in order {
        let (start, end) = edges[i];
        let fits = |spans: &Vec<(usize, usize)>| spans.iter().all(|(s, e)| end <= *s || start >= *e);
        let track = taken.iter().position(fits).unwrap_or_else(|| {
            taken.push(Vec::new());
            taken.len() - 1
        });
        taken[track].push(edges[i]);
        tracks[i] = track;
    }
    tracks
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
