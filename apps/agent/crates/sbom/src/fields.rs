//! Blocks of `Name: value` lines, as dpkg, Python's METADATA and Debian's copyright files write them.
use std::collections::HashMap;

/// Fields of one block by their name in lower case; the first of a name wins. Lines that go on one begin with a space.
pub(crate) type Block<'a> = HashMap<String, Vec<&'a str>>;

/// Blocks are separated by empty lines. Whatever is no field is passed over.
pub(crate) fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let mut lines = text.lines().peekable();
    std::iter::from_fn(move || {
        while lines.next_if(|line| line.trim().is_empty()).is_some() {}
        lines.peek()?;
        let mut block = Block::new();
        let mut last: Option<String> = None;
        while let Some(line) = lines.next_if(|line| !line.trim().is_empty()) {
            if line.starts_with([' ', '\t']) {
                if let Some(value) = last.as_ref().and_then(|name| block.get_mut(name)) {
                    value.push(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                let name = name.to_ascii_lowercase();
                last = (!block.contains_key(&name)).then(|| name.clone());
                block.entry(name).or_insert_with(|| vec![value.trim()]);
            } else {
                last = None;
            }
        }
        Some(block)
    })
}

/// A field's first line.
pub(crate) fn first<'a>(block: &Block<'a>, name: &str) -> Option<&'a str> {
    block.get(name).and_then(|value| value.first().copied()).filter(|value| !value.is_empty())
}
