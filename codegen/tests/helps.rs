//! What a help offers must be right: every mistake of `tests/habits/*.txt` is one error, on its line, with a help, and
//! the line that the help offers is fed back to the compiler in its place.

use kiln_codegen::lower::frontend;

/// Everything in `text` that is wrong: line and column of the first token, counted in characters, and the help.
struct Found {
    line: usize,
    column: usize,
    text: String,
    help: String,
}

fn found(text: &str) -> Vec<Found> {
    let tokens = match text.parse() {
        Ok(tokens) => tokens,
        Err(why) => panic!("no tokens: {why}\n{text}"),
    };
    let (_, _, errors) = frontend(tokens);
    let list = errors.iter().map(|d| {
        let start = d.source.first.start();
        Found { line: start.line, column: start.column, text: d.text(), help: d.help.clone() }
    });
    list.collect()
}

/// One mistake of a file.
struct Case {
    /// What stands around it, with the place of the mistake.
    before: String,
    mistake: String,
    after: String,
}

impl Case {
    fn text(&self) -> String {
        format!("{}{}{}", self.before, self.mistake, self.after)
    }
}

/// A classifier of images around each line, or the line itself where it says that it is `whole`. `⏎` ends a line.
fn cases(file: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for line in file.lines().filter(|line| line.contains('«')) {
        let line = line.replace('⏎', "\n");
        let (before, rest) = line.split_once('«').unwrap();
        let (mistake, after) = rest.split_once('»').unwrap();
        let (before, whole) = match before.strip_prefix("whole ") {
            Some(before) => (before, true),
            None => (before, false),
        };
        let (head, tail) = match whole {
            true => ("", ""),
            false => (
                "pub Net<BN = true, N = 3> { input x: [1, 28, 28]; target y: class<10>; ",
                " Linear<10>; loss: CrossEntropy(_, y); }",
            ),
        };
        cases.push(Case {
            before: format!("{head}{before}"),
            mistake: mistake.to_string(),
            after: format!("{after}{tail}"),
        });
    }
    cases
}

/// What a help says to write or to declare: the texts in backticks behind the words.
fn offered<'h>(help: &'h str, word: &str) -> Option<&'h str> {
    let (_, rest) = help.split_once(&format!("{word} `"))?;
    // A text in backticks holds none.
    rest.split('`').next()
}

/// The braces of the mistake stand where the help has `{ … }`, one after the other.
fn filled(offer: &str, mistake: &str) -> String {
    let mut bodies: Vec<&str> = Vec::new();
    let mut open = Vec::new();
    for (at, c) in mistake.char_indices() {
        match c {
            '{' => open.push(at),
            '}' => {
                let from = open.pop();
                bodies.extend(from.filter(|_| open.is_empty()).map(|from| &mistake[from..=at]));
            }
            _ => {}
        }
    }
    let mut parts = offer.split("{ … }");
    let mut text = parts.next().unwrap_or_default().to_string();
    for (i, part) in parts.enumerate() {
        text += bodies.get(i).or(bodies.last()).unwrap_or(&"{ Relu; }");
        text += part;
    }
    text
}

fn check(name: &str, file: &str) {
    let show = std::env::var("SHOW").is_ok();
    let mut wrong = Vec::new();
    for case in cases(file) {
        let text = case.text();
        let found = found(&text);
        let shown: Vec<&str> = found.iter().map(|f| f.text.as_str()).collect();
        if show {
            let at = found.first().map(|f| {
                text.lines().nth(f.line - 1).unwrap_or("").chars().skip(f.column).take(12).collect::<String>()
            });
            println!(
                "{}\n    at: {}\n    {}\n",
                case.mistake.replace('\n', " ⏎ "),
                at.unwrap_or_default(),
                shown.join("\n").replace('\n', "\n    ")
            );
        }
        let mut complain = |what: &str| {
            wrong.push(format!("{}\n    {what}\n    {}", case.mistake, shown.join("\n").replace('\n', "\n    ")))
        };
        let [one] = found.as_slice() else {
            complain(&format!("{} errors", found.len()));
            continue;
        };
        let end = |text: &str| {
            let last = text.rsplit('\n').next().unwrap_or_default();
            (text.matches('\n').count() + 1, last.chars().count())
        };
        let whole = format!("{}{}", case.before, case.mistake);
        let (from, to) = (end(&case.before), end(&whole));
        if (one.line, one.column) < from || (one.line, one.column) >= to {
            complain(&format!("stands elsewhere: {}:{}", one.line, one.column));
        }
        let Some(offer) = offered(&one.help, "write").filter(|_| !one.help.contains("with its lines")) else {
            continue;
        };
        let offer = filled(offer, &case.mistake);
        if offer.contains('…') {
            continue;
        }
        let function = offered(&one.help, "declare").filter(|text| text.starts_with("fn ")).unwrap_or("");
        // A whole line, a part of one, or a word.
        let mut tries = vec![format!("{function} {}{offer}{}", case.before, case.after.trim_start_matches(';'))];
        tries.push(format!("{function} {}{offer}{}", case.before, case.after));
        // Any words of the mistake in a row, the token that the message stands on among them.
        let at = text.lines().take(one.line - 1).map(|l| l.len() + 1).sum::<usize>()
            + text.lines().nth(one.line - 1).unwrap_or("").chars().take(one.column).map(char::len_utf8).sum::<usize>();
        let word = |i: usize| {
            !text[..i].ends_with(|c: char| c.is_alphanumeric()) || !text[i..].starts_with(char::is_alphanumeric)
        };
        let places =
            |from: usize, to: usize| (from..=to).filter(|i| text.is_char_boundary(*i) && word(*i)).collect::<Vec<_>>();
        for start in places(case.before.len(), at).into_iter().rev() {
            for end in places(at + 1, whole.len()) {
                tries.push(format!("{}{offer}{}", &text[..start], &text[end..]));
            }
        }
        let sound = |text: &String| text.parse().is_ok_and(|tokens| frontend(tokens).2.is_empty());
        if !tries.iter().any(sound) {
            complain(&format!("the help is no better:\n    {}", tries[0]));
        }
    }
    assert!(wrong.is_empty(), "{} of {name}:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn lines() {
    check("lines", include_str!("habits/lines.txt"));
}

#[test]
fn items() {
    check("items", include_str!("habits/items.txt"));
}

#[test]
fn fresh() {
    check("fresh", include_str!("habits/fresh.txt"));
}
