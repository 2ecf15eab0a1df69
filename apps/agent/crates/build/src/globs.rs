//! Lists of patterns over whole paths, as moby/patternmatcher takes them: `--exclude` and `--parents`. Each component is a
//! pattern of [`crate::pattern`], `**` stands for any number of components, `!` makes an exception; the last rule that
//! matches a path, or a directory it lies in, decides.
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::pattern::{self, BadPattern};
use crate::select::Entry;

/// One list of rules.
#[derive(Debug)]
pub struct Globs {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    exception: bool,
    components: Vec<String>,
}

impl Globs {
    /// # Errors
    /// `BadPattern` for a component that is none.
    pub fn new(patterns: &[String]) -> Result<Self, BadPattern> {
        let mut rules = Vec::with_capacity(patterns.len());
        for text in patterns {
            let (exception, text) = text.strip_prefix('!').map_or((false, text.as_str()), |rest| (true, rest));
            let components: Vec<String> = text.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
            for component in &components {
                pattern::matches(component, "")?;
            }
            rules.push(Rule { exception, components });
        }
        Ok(Self { rules })
    }

    /// Whether the rules take `path` (relative). What is no text is never taken.
    pub fn take(&self, path: &Path) -> bool {
        let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
        let Some(parts) = parts else { return false };
        let hit = |rule: &&Rule| (1..=parts.len()).any(|length| matches(&rule.components, &parts[..length]));
        self.rules.iter().rev().find(hit).is_some_and(|rule| !rule.exception)
    }
}

/// Positions in the pattern that the path read so far can stand at: linear in path × pattern.
fn matches(components: &[String], parts: &[&str]) -> bool {
    let mut at = vec![false; components.len() + 1];
    at[0] = true;
    let close = |at: &mut Vec<bool>| {
        for (index, component) in components.iter().enumerate() {
            if at[index] && component == "**" {
                at[index + 1] = true;
            }
        }
    };
    // A last `**` stands for something: `a/**` is not `a`.
    let open_end = components.last().is_some_and(|component| component == "**");
    close(&mut at);
    for part in parts {
        let mut next = vec![false; components.len() + 1];
        for (index, component) in components.iter().enumerate().filter(|(index, _)| at[*index]) {
            if component == "**" {
                next[index] = true;
            } else if pattern::matches(component, part).unwrap_or(false) {
                next[index + 1] = true;
            }
        }
        let stays = open_end && next[components.len() - 1] && at[components.len() - 1];
        close(&mut next);
        if open_end {
            next[components.len()] = stays;
        }
        at = next;
    }
    at[components.len()]
}

/// Keeps the entries that `keep` wants, and the directories they lie in.
pub fn retain(entries: &mut Vec<Entry>, keep: impl Fn(&Path) -> bool) {
    let mut needed: HashSet<PathBuf> = HashSet::new();
    let kept: Vec<bool> = entries.iter().map(|entry| entry.path.as_os_str().is_empty() || keep(&entry.path)).collect();
    for (entry, _) in entries.iter().zip(&kept).filter(|(_, kept)| **kept) {
        for parent in entry.path.ancestors().skip(1).take_while(|parent| !parent.as_os_str().is_empty()) {
            if !needed.insert(parent.to_path_buf()) {
                break;
            }
        }
    }
    let mut kept = kept.into_iter();
    entries.retain(|entry| kept.next().unwrap_or(false) || needed.contains(&entry.path));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(patterns: &[&str], path: &str) -> bool {
        Globs::new(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap().take(Path::new(path))
    }

    #[test]
    fn follows_patternmatcher() {
        for (patterns, path, taken) in [
            (&["*.txt"][..], "a.txt", true),
            (&["*.txt"], "d/a.txt", false),
            (&["**/*.txt"], "a.txt", true),
            (&["**/*.txt"], "d/e/a.txt", true),
            (&["d"], "d/e/a.txt", true),
            (&["d/**"], "d", false),
            (&["d/**"], "d/e", true),
            (&["d/**/x"], "d/x", true),
            (&["d/**/x"], "d/1/2/x", true),
            (&["d/**/x"], "d/1/2/y", false),
            (&["**"], "anything/at/all", true),
            (&["/d/./e/"], "d/e", true),
            (&["*", "!keep"], "keep/inside", false),
            (&["*", "!keep", "keep/not"], "keep/not", true),
            (&["[a-c]?"], "bz", true),
            (&["[^a-c]?"], "bz", false),
            (&[], "a", false),
        ] {
            assert_eq!(takes(patterns, path), taken, "{patterns:?} on {path}");
        }
        assert!(Globs::new(&["[".into()]).is_err());
    }

    #[test]
    fn ends_on_hostile_patterns() {
        let pattern = vec!["**"; 60].join("/x/");
        assert!(!takes(&[&pattern], &vec!["x"; 40].join("/")));
    }
}
