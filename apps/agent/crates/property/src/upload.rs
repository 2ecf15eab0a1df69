//! Files as one upload of a build context, in the form that `slipway_build::contexts` takes.
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// What lies at a path.
#[derive(Debug, Clone)]
pub enum Item {
    File(u32, Vec<u8>),
    Link(String),
    /// With what may lie beneath it.
    Dir(u32),
}

/// The stream of objects, and the digest of the root without `sha256:`. Directories that are not named are 0755.
#[must_use]
pub fn upload<'a>(items: impl IntoIterator<Item = (&'a str, Item)>) -> (Vec<u8>, String) {
    let mut root = Folder { mode: 0o755, ..Folder::default() };
    for (path, item) in items {
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let last = match item {
            Item::Dir(_) => None,
            _ => parts.pop(),
        };
        let folder = parts.into_iter().fold(&mut root, |folder, name| {
            folder.folders.entry(name.to_owned()).or_insert_with(|| Folder { mode: 0o755, ..Folder::default() })
        });
        match (item, last) {
            (Item::Dir(mode), _) => folder.mode = mode,
            (item, Some(name)) => drop(folder.items.insert(name.to_owned(), item)),
            (_, None) => {}
        }
    }
    let mut stream = b"slipway-objects-1\n".to_vec();
    let digest = root.write(&mut stream);
    (stream, digest)
}

#[derive(Default)]
struct Folder {
    mode: u32,
    items: BTreeMap<String, Item>,
    folders: BTreeMap<String, Folder>,
}

impl Folder {
    fn write(&self, stream: &mut Vec<u8>) -> String {
        let mut lines = BTreeMap::new();
        for (name, folder) in &self.folders {
            lines.insert(name, format!("d {:03o} {} {name}\0", folder.mode, folder.write(stream)));
        }
        for (name, item) in &self.items {
            let line = match item {
                Item::File(mode, content) => format!("f {mode:03o} {} {} {name}\0", content.len(), object(stream, "blob", content)),
                Item::Link(target) => format!("l {name}\0{target}\0"),
                Item::Dir(_) => continue,
            };
            lines.insert(name, line);
        }
        let text = format!("slipway-tree-1\n{}", lines.into_values().collect::<String>());
        object(stream, "tree", text.as_bytes())
    }
}

fn object(stream: &mut Vec<u8>, kind: &str, content: &[u8]) -> String {
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    stream.extend(format!("{kind} {hex} {}\n", content.len()).as_bytes());
    stream.extend(content);
    hex
}
