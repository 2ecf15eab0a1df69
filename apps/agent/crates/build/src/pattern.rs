//! Go's `filepath.Match` on Unix, byte for byte in its rules: `*` and `?` do not match `/`, `[a-z]`, `[^a]`, `\x`.
//! The pattern must match the whole name.

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pattern has an unclosed `[` or ends in `\\`")]
pub struct BadPattern;

/// True when a path component must be matched against the files, not looked up.
pub fn has_wildcard(component: &str) -> bool {
    let mut bytes = component.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

/// # Errors
/// `BadPattern` when the pattern is malformed (it may go unnoticed when the name differs before the malformed part).
pub fn matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    match_here(&pattern, &name)
}

fn match_here(mut pattern: &[char], mut name: &[char]) -> Result<bool, BadPattern> {
    // The last star and the name position it was tried at: going back there is enough, because an earlier star can
    // never match where the later one cannot. This keeps hostile patterns linear in practice, quadratic at worst.
    let mut star: Option<(&[char], &[char])> = None;
    loop {
        if let Some('*') = pattern.first() {
            while let Some('*') = pattern.first() {
                pattern = &pattern[1..];
            }
            star = Some((pattern, name));
            continue;
        }
        let step = if pattern.is_empty() { None } else { match_one(pattern, name)? };
        match step {
            Some(rest) => {
                pattern = rest;
                name = &name[1..];
            }
            None if pattern.is_empty() && name.is_empty() => return Ok(true),
            None => match star {
                Some((after, at)) if !at.is_empty() && at[0] != '/' => {
                    star = Some((after, &at[1..]));
                    pattern = after;
                    name = &at[1..];
                }
                _ => return check_rest(pattern).map(|()| false),
            },
        }
    }
}

/// Matches one character; gives the pattern behind it, or `None` when it does not match.
fn match_one<'p>(pattern: &'p [char], name: &[char]) -> Result<Option<&'p [char]>, BadPattern> {
    let (rest, matched) = match pattern[0] {
        '[' => {
            let (rest, matched) = match_class(&pattern[1..], name.first().copied())?;
            (rest, matched)
        }
        '?' => (&pattern[1..], name.first().is_some_and(|&c| c != '/')),
        '\\' => {
            let literal = pattern.get(1).ok_or(BadPattern)?;
            (&pattern[2..], name.first() == Some(literal))
        }
        literal => (&pattern[1..], name.first() == Some(&literal)),
    };
    Ok(matched.then_some(rest))
}

fn match_class(mut pattern: &[char], c: Option<char>) -> Result<(&[char], bool), BadPattern> {
    let negated = pattern.first() == Some(&'^');
    if negated {
        pattern = &pattern[1..];
    }
    let (mut matched, mut ranges) = (false, 0);
    loop {
        if pattern.first() == Some(&']') && ranges > 0 {
            pattern = &pattern[1..];
            break;
        }
        let low;
        (low, pattern) = class_char(pattern)?;
        let mut high = low;
        if pattern.first() == Some(&'-') {
            (high, pattern) = class_char(&pattern[1..])?;
        }
        matched |= c.is_some_and(|c| low <= c && c <= high);
        ranges += 1;
    }
    Ok((pattern, c.is_some() && matched != negated))
}

fn class_char(pattern: &[char]) -> Result<(char, &[char]), BadPattern> {
    let (&first, mut rest) = pattern.split_first().ok_or(BadPattern)?;
    let mut c = first;
    if first == '-' || first == ']' {
        return Err(BadPattern);
    }
    if first == '\\' {
        let (&escaped, after) = rest.split_first().ok_or(BadPattern)?;
        (c, rest) = (escaped, after);
    }
    // A class is never the end of a pattern: at least `]` follows.
    if rest.is_empty() { Err(BadPattern) } else { Ok((c, rest)) }
}

fn check_rest(mut pattern: &[char]) -> Result<(), BadPattern> {
    while let Some(&first) = pattern.first() {
        pattern = match first {
            '[' => match_class(&pattern[1..], None)?.0,
            '\\' => pattern.get(2..).ok_or(BadPattern)?,
            _ => &pattern[1..],
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_go() {
        // From the documented behaviour of Go's path/filepath: (pattern, name, result).
        let cases = [
            ("abc", "abc", Ok(true)),
            ("*", "abc", Ok(true)),
            ("*c", "abc", Ok(true)),
            ("a*", "a", Ok(true)),
            ("a*", "ab/c", Ok(false)),
            ("a*/b", "abc/b", Ok(true)),
            ("a*/b", "a/c/b", Ok(false)),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", Ok(true)),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", Ok(false)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Ok(true)),
            ("a*b?c*x", "abxbbxdbxebxczzy", Ok(false)),
            ("ab[c]", "abc", Ok(true)),
            ("ab[b-d]", "abc", Ok(true)),
            ("ab[^c]", "abc", Ok(false)),
            ("ab[^e-g]", "abc", Ok(true)),
            ("a\\*b", "a*b", Ok(true)),
            ("a\\*b", "ab", Ok(false)),
            ("a?b", "a☺b", Ok(true)),
            ("a[^a]b", "a☺b", Ok(true)),
            ("a???b", "a☺b", Ok(false)),
            ("[a-ζ]*", "α", Ok(true)),
            ("*[a-ζ]", "A", Ok(false)),
            ("a?b", "a/b", Ok(false)),
            ("a*b", "a/b", Ok(false)),
            ("[\\]a]", "]", Ok(true)),
            ("[\\-]", "-", Ok(true)),
            ("[x\\-]", "-", Ok(true)),
            ("[]a]", "]", Err(BadPattern)),
            ("[-]", "-", Err(BadPattern)),
            ("[x-]", "x", Err(BadPattern)),
            ("[a-b-c]", "a", Err(BadPattern)),
            ("[", "a", Err(BadPattern)),
            ("[^bc", "a", Err(BadPattern)),
            ("a[", "ab", Err(BadPattern)),
            ("*x", "xxx", Ok(true)),
            ("", "", Ok(true)),
            ("package*.json", "package-lock.json", Ok(true)),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn tells_wildcards() {
        assert!(has_wildcard("a*") && has_wildcard("[ab]") && has_wildcard("?"));
        assert!(!has_wildcard("plain.txt") && !has_wildcard("a\\*b"));
    }

    #[test]
    fn a_hostile_pattern_ends_quickly() {
        let pattern = "a*".repeat(200) + "b";
        assert_eq!(matches(&pattern, &"a".repeat(2000)), Ok(false));
    }
}
