//! The smallest declaration that still fails.
//!
//! A declaration is text with a statement on each line. Whatever a line, a block, an argument, a number or a term can be
//! without is tried; the front end says whether what is left is a declaration, the failing comparison whether it still
//! fails. So nothing here knows a layer.

use crate::declared;
use crate::generate::Case;

/// Smaller declarations that are sound, the ones that lack most first.
pub fn candidates(case: &Case) -> Vec<Case> {
    let mut texts = Vec::new();
    let lines: Vec<&str> = case.text.lines().collect();
    blocks(&lines, &mut texts);
    names(&lines, &mut texts);
    singles(&lines, &mut texts);
    terms(&case.text, &mut texts);
    arguments(&case.text, &mut texts);
    numbers(&case.text, &mut texts);
    let mut list: Vec<Case> = Vec::new();
    for batches in smaller_batches(&case.batches) {
        list.push(Case { batches, ..case.clone() });
    }
    for text in texts {
        if weight(&text) < weight(&case.text)
            && list.iter().all(|c| c.text != text)
            && declared::networks(&text).is_ok()
        {
            list.push(Case { text, ..case.clone() });
        }
    }
    list
}

/// Shrinks with a comparison that takes one case at a time.
pub fn shrink(case: &Case, fails: impl Fn(&Case) -> bool) -> Case {
    let mut smallest = case.clone();
    while let Some(smaller) = candidates(&smallest).into_iter().find(|c| fails(c)) {
        smallest = smaller;
    }
    smallest
}

/// Shrinks with a comparison that takes many at once, and says which fail.
pub fn shrink_many(
    case: &Case,
    at_once: usize,
    fails: impl Fn(&[Case]) -> Result<Vec<bool>, String>,
) -> Result<Case, String> {
    let mut smallest = case.clone();
    loop {
        let list = candidates(&smallest);
        let mut found = None;
        for some in list.chunks(at_once) {
            let failing = fails(some)?;
            let smaller = some.iter().zip(failing).filter(|(_, fails)| *fails).map(|(c, _)| c);
            found = smaller.min_by_key(|c| (weight(&c.text), c.batches.iter().sum::<usize>())).cloned();
            if found.is_some() {
                break;
            }
        }
        match found {
            Some(smaller) => smallest = smaller,
            None => return Ok(smallest),
        }
    }
}

/// What there is to read, and how large its numbers are.
fn weight(text: &str) -> usize {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    words.map(|w| 10 + w.parse::<usize>().map_or(w.len().min(10), |n| n.min(100) / 4 + usize::from(n > 1))).sum()
}

fn smaller_batches(batches: &[usize]) -> Vec<Vec<usize>> {
    match batches {
        [] | [1] => Vec::new(),
        [2] => vec![vec![1]],
        [n] => vec![vec![1], vec![n / 2], vec![n - 1], if *n > 16 { vec![16] } else { Vec::new() }]
            .into_iter()
            .filter(|list| !list.is_empty())
            .collect(),
        many => many.iter().map(|n| vec![*n]).collect(),
    }
}

fn without(lines: &[&str], gone: impl Fn(usize) -> bool) -> String {
    let left = lines.iter().enumerate().filter(|(i, _)| !gone(*i));
    left.map(|(_, line)| format!("{line}\n")).collect()
}

fn opens(line: &str) -> bool {
    line.trim_end().ends_with('{')
}

fn closes(line: &str) -> bool {
    line.trim_start().starts_with('}')
}

/// Whole blocks, and the braces around what stays.
fn blocks(lines: &[&str], texts: &mut Vec<String>) {
    for start in 0..lines.len() {
        if !opens(lines[start]) {
            continue;
        }
        let mut depth = 0;
        let end = (start..lines.len()).find(|i| {
            depth += i32::from(opens(lines[*i])) - i32::from(closes(lines[*i]));
            depth == 0
        });
        if let Some(end) = end {
            texts.push(without(lines, |i| (start..=end).contains(&i)));
            texts.push(without(lines, |i| i == start || i == end));
        }
    }
}

/// What a line names, if it names something.
fn named(line: &str) -> Option<&str> {
    let line = line.trim();
    let behind = |word: &str| line.split_once(word).map(|(_, rest)| rest);
    let name = match behind(" as ") {
        Some(rest) => rest,
        None if line.starts_with("param ") || line.starts_with("input ") || line.starts_with("target ") => {
            line.split_once(' ')?.1
        }
        None => line.rsplit_once("] ").map_or(line, |(_, rest)| rest),
    };
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    (end > 0 && name.starts_with(|c: char| c.is_ascii_lowercase())).then(|| &name[..end])
}

fn mentions(line: &str, name: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name)
}

/// Names with all lines that mention them, and with all lines from the first to the last of them.
fn names(lines: &[&str], texts: &mut Vec<String>) {
    for line in lines {
        let Some(name) = named(line) else { continue };
        let places: Vec<usize> = (0..lines.len()).filter(|i| mentions(lines[*i], name)).collect();
        let (first, last) = (places[0], places[places.len() - 1]);
        if last > first {
            texts.push(without(lines, |i| (first..=last).contains(&i)));
            texts.push(without(lines, |i| places.contains(&i)));
        }
    }
}

/// Runs of lines, long ones first, down to one.
fn singles(lines: &[&str], texts: &mut Vec<String>) {
    for length in [8, 4, 3, 2, 1] {
        for start in 0..lines.len().saturating_sub(length - 1) {
            texts.push(without(lines, |i| (start..start + length).contains(&i)));
        }
    }
    // Attributes, and labels of lines.
    for (i, line) in lines.iter().enumerate() {
        let text = line.trim_start();
        let mut shorter = Vec::new();
        if text.starts_with("#[") {
            shorter.extend(text.split_once("] ").map(|(_, rest)| rest));
        }
        if let Some((label, rest)) = text.split_once(": ")
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !["loss"].contains(&label)
        {
            shorter.push(rest);
        }
        for rest in shorter {
            let mut changed = lines.to_vec();
            changed[i] = rest;
            texts.push(without(&changed, |_| false));
        }
    }
}

/// Terms of a loss, outputs, operands: what stands between ` + ` or `, `.
fn terms(text: &str, texts: &mut Vec<String>) {
    for (i, line) in text.lines().enumerate() {
        let Some((head, rest)) = line.split_once("loss: ") else { continue };
        let list: Vec<&str> = rest.trim_end_matches(';').split(" + ").collect();
        for gone in 0..list.len() {
            let left: Vec<&str> = (0..list.len()).filter(|k| *k != gone).map(|k| list[k]).collect();
            // A term needs no factor, and no particular loss.
            let mut losses = vec![left.join(" + ")];
            if let [one] = left[..] {
                losses.extend(one.split_once("* ").map(|(_, rest)| rest.to_owned()));
            }
            for loss in losses.into_iter().filter(|loss| !loss.is_empty()) {
                let changed = text
                    .lines()
                    .enumerate()
                    .map(|(k, line)| if k == i { format!("{head}loss: {loss};\n") } else { format!("{line}\n") });
                texts.push(changed.collect());
            }
        }
    }
}

/// `, name = value` in angle brackets, and whole angle brackets.
fn arguments(text: &str, texts: &mut Vec<String>) {
    for (at, _) in text.match_indices(", ") {
        let rest = &text[at + 2..];
        let word = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("");
        if !rest[word.len()..].starts_with(" = ") {
            continue;
        }
        let mut depth = 0;
        let end = rest.char_indices().find(|(_, c)| {
            depth += i32::from(*c == '[') - i32::from(*c == ']');
            depth == 0 && (*c == ',' || *c == '>')
        });
        if let Some((end, _)) = end {
            texts.push(format!("{}{}", &text[..at], &rest[end..]));
        }
    }
    for (at, _) in text.match_indices('<') {
        if let Some(end) = text[at..].find('>') {
            texts.push(format!("{}{}", &text[..at], &text[at + end + 1..]));
        }
    }
}

/// Numbers: each by itself, and all that are equal together.
fn numbers(text: &str, texts: &mut Vec<String>) {
    let mut places: Vec<(usize, usize, usize)> = Vec::new();
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let start = i;
        while i < bytes.len() && bytes[i].is_ascii_digit() {
            i += 1;
        }
        let outside = |c: Option<&u8>| c.is_none_or(|c| !c.is_ascii_alphanumeric() && *c != b'.' && *c != b'_');
        let before = start.checked_sub(1).and_then(|k| bytes.get(k));
        if i > start && outside(before) && outside(bytes.get(i)) {
            places.extend(text[start..i].parse().ok().map(|n: usize| (start, i, n)));
        }
        i = i.max(start + 1);
    }
    let replaced = |chosen: &[(usize, usize, usize)], new: usize| {
        let (mut result, mut from) = (String::new(), 0);
        for (start, end, _) in chosen {
            result += &text[from..*start];
            result += &new.to_string();
            from = *end;
        }
        result + &text[from..]
    };
    let smaller = |n: usize| {
        let mut list = vec![1, 2, 3, n / 2, n.saturating_sub(2), n.saturating_sub(1)];
        list.retain(|m| *m < n && *m > 0);
        list.sort_unstable();
        list.dedup();
        list
    };
    let mut values: Vec<usize> = places.iter().map(|p| p.2).collect();
    values.sort_unstable();
    values.dedup();
    for n in values.into_iter().rev() {
        let same: Vec<(usize, usize, usize)> = places.iter().copied().filter(|p| p.2 == n).collect();
        for m in smaller(n) {
            texts.push(replaced(&same, m));
            if same.len() > 1 {
                texts.extend(same.iter().map(|one| replaced(&[*one], m)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(text: &str) -> Case {
        Case { seed: 0, index: 0, text: text.to_owned(), batches: vec![1, 17] }
    }

    #[test]
    fn a_pool_behind_a_convolution_is_what_is_left() {
        let text = "    fn same(x) { x }
    #[fusion(both)]
    pub Net {
        input x: [3, 9, 12];
        target t: class<5>;
        l1: Conv2d<6, 5, padding = 2, bias = false>;
        same as v2;
        r3: Residual {
            Tanh;
        }
        Add(_, v2);
        MaxPool2d<2, ceil_mode = true>;
        Flatten;
        Linear<5> as v4;
        output v4;
        loss: CrossEntropy(v4, t) + 0.5 * Mean(v4);
    }
";
        let case = case(text);
        assert_eq!(declared::networks(text).err(), None);
        let fails = |c: &Case| c.text.contains("MaxPool2d") && c.text.contains("Conv2d") && c.batches.contains(&17);
        let found = shrink(&case, fails);
        let lines: Vec<&str> = found.text.lines().map(str::trim).collect();
        let expected = ["pub Net {", "input x: [1, 2, 2];", "Conv2d<1, 1>;", "MaxPool2d<1>;", "}"];
        assert_eq!(lines[0], expected[0], "{}", found.text);
        assert!(lines.len() == 5 && found.batches == [17], "{}", found.text);
        let many = shrink_many(&case, 7, |list| Ok(list.iter().map(fails).collect())).unwrap();
        assert_eq!(many.text.lines().count(), 5, "{}", many.text);
    }
}
