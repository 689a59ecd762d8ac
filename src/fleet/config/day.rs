//! Days as people write them: `2027-06-30`.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A day of the calendar; it begins and ends in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(Date);

impl Day {
    /// Whether the day is over.
    pub fn is_over_at(self, now: Timestamp) -> bool {
        self.0 < now.to_zoned(TimeZone::UTC).date()
    }
}

/// Text that is no day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADay;

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        let date = Date::strptime("%Y-%m-%d", text).map_err(|_| NotADay)?;
        // Only the one spelling: `2027-6-3` may be meant otherwise.
        (date.to_string() == text)
            .then_some(Self(date))
            .ok_or(NotADay)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_over_when_the_next_one_begins_in_utc() {
        let day: Day = "2027-06-30".parse().unwrap();
        let is_over_at = |now: &str| day.is_over_at(now.parse().unwrap());
        assert!(!is_over_at("2027-06-30T23:59:59Z"));
        assert!(is_over_at("2027-07-01T00:00:00Z"));
        assert_eq!(day.to_string(), "2027-06-30");
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "2027-02-29",
            "2027-6-30",
            "30.06.2027",
            "2027-06-30T00:00",
            "",
        ] {
            assert_eq!(text.parse::<Day>(), Err(NotADay), "{text}");
        }
    }
}
