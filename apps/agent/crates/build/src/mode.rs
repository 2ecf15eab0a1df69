//! `--chmod`: octal digits, or the letters of chmod(1) (POSIX chmod, "OPERANDS"). There is no umask: who is left out is all.
use std::str::FromStr;

/// A change of permission bits, setuid, setgid and sticky.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModeChange {
    Set(u32),
    Letters(Vec<Step>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Of 0o7777: the bits that belong to whom it is about.
    who: u32,
    action: Action,
    /// Of 0o7777, for everybody; masked by `who` when applied.
    bits: u32,
    /// `X`: execution for directories, and files that somebody may execute already.
    execute_some: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Add,
    Remove,
    Assign,
}

impl FromStr for ModeChange {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if (1..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b)) {
            return u32::from_str_radix(text, 8).map(Self::Set).map_err(|_| ());
        }
        let mut steps = Vec::new();
        for clause in text.split(',') {
            let rights = clause.trim_start_matches(['u', 'g', 'o', 'a']);
            let who = who(&clause[..clause.len() - rights.len()]);
            if !rights.starts_with(['-', '+', '=']) {
                return Err(());
            }
            for c in rights.chars() {
                let Some(action) = action(c) else {
                    let step = steps.last_mut().ok_or(())?;
                    add_right(step, c)?;
                    continue;
                };
                steps.push(Step { who, action, bits: 0, execute_some: false });
            }
        }
        Ok(Self::Letters(steps))
    }
}

/// setuid goes with the user, setgid with the group, sticky with the others.
fn who(letters: &str) -> u32 {
    let mask = letters.chars().fold(0, |mask, c| {
        mask | match c {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            _ => 0o7777,
        }
    });
    if mask == 0 { 0o7777 } else { mask }
}

fn action(c: char) -> Option<Action> {
    match c {
        '+' => Some(Action::Add),
        '-' => Some(Action::Remove),
        '=' => Some(Action::Assign),
        _ => None,
    }
}

fn add_right(step: &mut Step, c: char) -> Result<(), ()> {
    match c {
        'r' => step.bits |= 0o444,
        'w' => step.bits |= 0o222,
        'x' => step.bits |= 0o111,
        'X' => step.execute_some = true,
        's' => step.bits |= 0o6000,
        't' => {
            step.bits |= 0o1000;
            step.who |= 0o1000;
        }
        _ => return Err(()),
    }
    Ok(())
}

impl ModeChange {
    /// The mode after the change of a file that has `mode` (permission bits, setuid, setgid, sticky).
    pub fn apply(&self, mode: u32, is_dir: bool) -> u32 {
        let steps = match self {
            Self::Set(mode) => return *mode,
            Self::Letters(steps) => steps,
        };
        steps.iter().fold(mode, |mode, step| {
            let execute = if step.execute_some && (is_dir || mode & 0o111 != 0) { 0o111 } else { 0 };
            let bits = (step.bits | execute) & step.who;
            match step.action {
                Action::Add => mode | bits,
                Action::Remove => mode & !bits,
                // What is not named of the others' special bits stays.
                Action::Assign => (mode & !step.who) | bits,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_what_chmod_means() {
        for (change, before, is_dir, after) in [
            ("755", 0o600, false, 0o755),
            ("4711", 0o600, false, 0o4711),
            ("0", 0o777, false, 0),
            ("u+x", 0o644, false, 0o744),
            ("+x", 0o644, false, 0o755),
            ("a-w", 0o666, false, 0o444),
            ("go=", 0o777, false, 0o700),
            ("u=rwX,go=rX", 0o600, false, 0o644),
            ("u=rwX,go=rX", 0o700, false, 0o755),
            ("u=rwX,go=rX", 0o600, true, 0o755),
            ("u+s", 0o755, false, 0o4755),
            ("g+s", 0o755, true, 0o2755),
            ("+t", 0o777, true, 0o1777),
            ("u=rw", 0o4755, false, 0o655),
            ("u+r-w+x", 0o200, false, 0o500),
            ("o+s", 0o644, false, 0o644),
        ] {
            assert_eq!(
                format!("{:o}", change.parse::<ModeChange>().unwrap().apply(before, is_dir)),
                format!("{after:o}"),
                "{change} on {before:o}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_mode() {
        for text in ["", "8", "07777", "u", "ux", "u+y", "u+x,", ",", "+x,,", "u+x g+x", "=é"] {
            assert_eq!(text.parse::<ModeChange>(), Err(()), "{text}");
        }
    }
}
