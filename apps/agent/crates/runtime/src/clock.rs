//! Time stamps as Docker writes them.
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Names a file with seconds that daemon and shims add to the wall clock, for tests of clocks that jump. Builds without debug
/// assertions do not look at it.
pub const SHIFT: &str = "SLIPWAY_CLOCK_SHIFT";

/// Nanoseconds since the epoch. It may jump in both directions: what lasts is measured with `Instant`.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
    now.saturating_add(
        shift_file().and_then(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok()).map_or(0, |s: i64| s * 1_000_000_000),
    )
}

pub(crate) fn shift_file() -> Option<std::ffi::OsString> {
    if cfg!(debug_assertions) { std::env::var_os(SHIFT) } else { None }
}

/// RFC 3339 in UTC with nine digits: `2026-11-20T22:54:01.000000123Z`.
pub fn rfc3339(nanoseconds: i64) -> String {
    let mut text = String::with_capacity(30);
    push_rfc3339(nanoseconds, &mut text);
    text
}

/// As `rfc3339`, appended to `out`.
pub fn push_rfc3339(nanoseconds: i64, out: &mut String) {
    let (seconds, nanos) = (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil date from days, counting years from 1 March so that the leap day is the last of a year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    // Writing to a String cannot fail.
    let _ = write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z");
}

/// The reverse, for RFC 3339 in UTC with any number of decimals, or `None`.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut clock = clock.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if !(1..=12).contains(&month) || fraction.len() > 9 || !(1970..=2200).contains(&year) {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse::<i64>().ok()?;
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * m + 2) / 5 + day - 1;
    let days = era * 146_097 + day_of_era - 719_468;
    Some((days * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000_000_000 + nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (1_795_215_241_123_456_789, "2026-11-20T22:54:01.123456789Z"),
        ] {
            assert_eq!(rfc3339(nanos), text);
            assert_eq!(parse_rfc3339(text), Some(nanos));
        }
        assert_eq!(parse_rfc3339("1970-01-01T00:00:01.5Z"), Some(1_500_000_000));
        assert_eq!(parse_rfc3339("yesterday"), None);
    }
}
