//! Licences as SPDX expressions, where they are or can be made one.
use spdx::{Expression, ParseMode};

/// A name of Debian's copyright files in SPDX's words; names that are known nowhere stay as they are.
pub(crate) fn of_debian(text: &str) -> String {
    let text: String = text.chars().take(200).collect();
    let words = text.split_whitespace().map(|word| match word {
        "and" | "or" | "with" => word.to_uppercase(),
        word => one(word),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn one(word: &str) -> String {
    let known = [("Expat", "MIT"), ("BSD-2-clause", "BSD-2-Clause"), ("BSD-3-clause", "BSD-3-Clause"), ("BSD-4-clause", "BSD-4-Clause")];
    if let Some((_, name)) = known.iter().find(|(debian, _)| *debian == word) {
        return (*name).to_owned();
    }
    let Some((family @ ("GPL" | "LGPL" | "AGPL" | "GFDL"), version)) = word.split_once('-') else { return word.to_owned() };
    let (version, later) = version.strip_suffix('+').map_or((version, false), |version| (version, true));
    if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return word.to_owned();
    }
    let version = if version.contains('.') { version.to_owned() } else { format!("{version}.0") };
    format!("{family}-{version}-{}", if later { "or-later" } else { "only" })
}

/// The expression, normal in its case and words; `None` when SPDX knows no such licence.
pub(crate) fn expression(text: &str) -> Option<String> {
    let canonical = Expression::canonicalize(text).ok().flatten();
    let text = canonical.as_deref().unwrap_or(text);
    Expression::parse_mode(text, ParseMode::LAX).ok()?;
    // What is only imprecisely known would not be understood by others.
    Expression::parse(text).ok().map(|expression| expression.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_spdx() {
        assert_eq!(of_debian("GPL-2+"), "GPL-2.0-or-later");
        assert_eq!(of_debian("LGPL-2.1 or Expat"), "LGPL-2.1-only OR MIT");
        assert_eq!(of_debian("public-domain"), "public-domain");
        assert_eq!(expression("MIT OR Apache-2.0").as_deref(), Some("MIT OR Apache-2.0"));
        assert_eq!(expression("See LICENSE"), None);
        assert_eq!(expression(&"(".repeat(500)), None);
    }
}
