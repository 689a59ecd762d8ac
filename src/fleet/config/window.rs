//! `windows` of a strategy: days and hours of a week, as the clocks of a place show them.

use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A time in which tenants may be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// Days and hours: `Mon-Fri 08:00-19:00`. Hours that end before they begin end on the next day.
    #[schemars(regex(
        pattern = r"^[A-Z][a-z]{2}(-[A-Z][a-z]{2})?(,[A-Z][a-z]{2}(-[A-Z][a-z]{2})?)* \d{2}:\d{2}-\d{2}:\d{2}$"
    ))]
    pub allow: String,
    /// A zone of the IANA database: `Europe/Paris`.
    pub zone: String,
}

/// What `allow` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// On which it begins.
    pub days: Vec<Weekday>,
    /// Minutes after midnight, at most 1440.
    pub from: u16,
    /// Minutes after midnight; of the next day, if it is not after `from`.
    pub to: u16,
}

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

impl Window {
    /// Days and hours that exist; `None` if `allow` is no window.
    pub fn hours(&self) -> Option<Hours> {
        let (days, hours) = self.allow.split_once(' ')?;
        let (from, to) = hours.split_once('-')?;
        let (from, to) = (minutes(from)?, minutes(to)?);
        let days: Option<Vec<Vec<Weekday>>> = days.split(',').map(weekdays).collect();
        (from != to).then_some(Hours {
            days: days?.concat(),
            from,
            to,
        })
    }

    /// The zone, from the database inside the program: the same on every machine.
    pub fn time_zone(&self) -> Option<TimeZone> {
        TimeZoneDatabase::bundled().get(&self.zone).ok()
    }
}

/// `Sat`, or `Fri-Mon`, which goes over the end of the week.
fn weekdays(text: &str) -> Option<Vec<Weekday>> {
    let position = |name: &str| DAYS.iter().position(|(day, _)| *day == name);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (position(first)?, position(last)?);
    let count = (last + DAYS.len() - first) % DAYS.len();
    let days = (first..=first + count).map(|day| DAYS[day % DAYS.len()].1);
    Some(days.collect())
}

fn minutes(text: &str) -> Option<u16> {
    const DAY: u16 = 24 * 60;
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour <= 24 && minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
}
