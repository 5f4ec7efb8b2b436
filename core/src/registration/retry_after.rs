//! `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.

use crate::time::{Duration, UnixMillis};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// How long the server asks to wait; `None` for a text that is neither of its forms. A date that is over is zero.
pub(super) fn wait(text: &str, wall: UnixMillis) -> Option<Duration> {
    let text = text.trim_matches([' ', '\t']);
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds ask for longer than anyone waits.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at = unix_seconds(text)?.saturating_mul(1000);
    Some(Duration::from_millis(at.saturating_sub(wall.0)))
}

/// Seconds since 1970 of a date such as `Sun, 22 Nov 2026 02:00:00 GMT` (IMF-fixdate, the form that servers must send).
fn unix_seconds(date: &str) -> Option<u64> {
    let (weekday, rest) = date.split_once(", ")?;
    if !DAYS.contains(&weekday) {
        return None;
    }
    let mut words = rest.split(' ');
    let mut word = || words.next();
    let day = digits(word()?, 2)?;
    let month = word()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year = digits(word()?, 4)?;
    let time = word()?;
    if word()? != "GMT" || word().is_some() || year < 1970 || !(1..=31).contains(&day) {
        return None;
    }
    let mut parts = time.split(':');
    let mut part = || parts.next().and_then(|part| digits(part, 2));
    let (hour, minute, second) = (part()?, part()?, part()?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn digits(text: &str, count: usize) -> Option<u64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. Years are taken to begin in March, so that the leap day is
/// their last.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let in_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year / 4 - year / 100 + year / 400;
    // 719,468 days from 0000-03-01 to 1970-01-01.
    (year * 365 + leap_days + in_year).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_seconds_since_1970() {
        // date -u -d '…' +%s
        let cases = [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Sun, 22 Nov 2026 02:00:00 GMT", 1_795_312_800),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
        ];
        for (date, seconds) in cases {
            assert_eq!(unix_seconds(date), Some(seconds), "{date}");
        }
    }

    #[test]
    fn a_wait_is_seconds_or_the_time_until_a_date() {
        let wall = UnixMillis(784_111_770_500);
        let cases = [
            ("7", Some(Duration::from_secs(7))),
            (" 0 ", Some(Duration::ZERO)),
            (
                "Sun, 06 Nov 1994 08:49:37 GMT",
                Some(Duration::from_millis(6_500)),
            ),
            ("Sun, 06 Nov 1994 08:49:30 GMT", Some(Duration::ZERO)),
            ("99999999999999999999999", Some(Duration::from_secs(u64::MAX))),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 24:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT x", None),
            ("Sun, 06 Brumaire 1994 08:49:37 GMT", None),
            ("Xyz, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 00 Nov 1994 08:49:37 GMT", None),
        ];
        for (text, expected) in cases {
            assert_eq!(wait(text, wall), expected, "{text:?}");
        }
    }
}
