//! Windows: when tenants may be started, and when the next one opens.
//!
//! A window is what clocks on the wall show. An hour that a clock leaves out in spring opens and closes nothing by
//! itself: both are moved to the moment when the clock jumps. An hour that comes twice in autumn counts twice.

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp, Zoned};

use crate::fleet::config::{Hours, Window};

/// The windows of a strategy, ready to be asked. None: always open.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    is_any: bool,
    readable: Vec<(Hours, TimeZone)>,
}

/// Whether tenants may be started now.
#[derive(Clone, Debug, PartialEq)]
pub enum Door {
    Open,
    /// Until the next window opens, told in its zone; `None` if none ever does.
    Closed {
        opens: Option<Zoned>,
    },
}

/// A week, the day on which it may begin before, and the one on which it may end after.
const DAYS: std::ops::RangeInclusive<i64> = -1..=8;

impl Windows {
    /// A window that does not read never opens: `check` has refused it.
    pub fn new(windows: &[Window]) -> Self {
        let read = |window: &Window| Some((window.hours()?, window.time_zone()?));
        Self {
            is_any: !windows.is_empty(),
            readable: windows.iter().filter_map(read).collect(),
        }
    }

    pub fn door(&self, now: Timestamp) -> Door {
        let times: Vec<Opening> = self.openings(now).collect();
        if !self.is_any || times.iter().any(|one| one.from <= now && now < one.to) {
            return Door::Open;
        }
        let next = times.into_iter().filter(|one| now < one.from);
        let next = next.min_by_key(|one| one.from);
        Door::Closed {
            opens: next.map(|one| one.from.to_zoned(one.zone)),
        }
    }

    /// Every time around now in which one of the windows is open.
    fn openings(&self, now: Timestamp) -> impl Iterator<Item = Opening> {
        let of_window = move |(hours, zone): &(Hours, TimeZone)| {
            let today = now.to_zoned(zone.clone()).date();
            let days = DAYS.map(move |days| today.saturating_add(Span::new().days(days)));
            let (hours, zone) = (hours.clone(), zone.clone());
            days.filter_map(move |day| opening(&hours, &zone, day))
        };
        self.readable.iter().flat_map(of_window)
    }
}

/// One time in which a window is open.
struct Opening {
    from: Timestamp,
    /// Not any more at this moment.
    to: Timestamp,
    zone: TimeZone,
}

/// The time that begins on a day, if one does.
fn opening(hours: &Hours, zone: &TimeZone, day: Date) -> Option<Opening> {
    if !hours.days.contains(&day.weekday()) {
        return None;
    }
    let last_day = if hours.to <= hours.from {
        day.tomorrow().ok()?
    } else {
        day
    };
    let from = moment(zone, day, hours.from, Twice::First)?;
    let to = moment(zone, last_day, hours.to, Twice::Last)?;
    (from < to).then(|| Opening {
        from,
        to,
        zone: zone.clone(),
    })
}

/// Which of two moments at which a clock shows the same.
enum Twice {
    First,
    Last,
}

/// When a clock shows so many minutes after midnight.
fn moment(zone: &TimeZone, day: Date, minutes: u16, twice: Twice) -> Option<Timestamp> {
    let midnight = day.to_datetime(Time::midnight());
    let shown = midnight.checked_add(Span::new().minutes(minutes)).ok()?;
    let moments = zone.to_ambiguous_timestamp(shown);
    match (moments.offset(), twice) {
        (AmbiguousOffset::Unambiguous { .. }, _) => moments.unambiguous().ok(),
        (AmbiguousOffset::Fold { .. }, Twice::First) => moments.earlier().ok(),
        (AmbiguousOffset::Fold { .. }, Twice::Last) => moments.later().ok(),
        (AmbiguousOffset::Gap { .. }, _) => {
            let before = moments.earlier().ok()?;
            let mut jumps = zone.following(before);
            jumps.next().map(|jump| jump.timestamp())
        }
    }
}

/// `the window to open: Mon 2026-11-30 08:00 (Europe/Paris)`.
pub fn opening_words(opens: Option<&Zoned>) -> String {
    let Some(opens) = opens else {
        return "a window, but none of the strategy's ever opens".to_owned();
    };
    let zone = opens.time_zone().iana_name().unwrap_or("UTC");
    format!(
        "the window to open: {} ({zone})",
        opens.strftime("%a %F %H:%M")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(lines: &[(&str, &str)]) -> Windows {
        let window = |(allow, zone): &(&str, &str)| Window {
            allow: (*allow).to_owned(),
            zone: (*zone).to_owned(),
        };
        Windows::new(&lines.iter().map(window).collect::<Vec<_>>())
    }

    fn paris(allow: &str) -> Windows {
        windows(&[(allow, "Europe/Paris")])
    }

    /// `open`, or the local time at which it opens.
    fn at(windows: &Windows, now: &str) -> String {
        match windows.door(now.parse().unwrap()) {
            Door::Open => "open".to_owned(),
            Door::Closed { opens: None } => "never".to_owned(),
            Door::Closed { opens: Some(opens) } => opens.strftime("%a %F %H:%M %:z").to_string(),
        }
    }

    #[test]
    fn without_windows_it_is_always_open() {
        assert_eq!(at(&windows(&[]), "2026-11-28T03:00:00Z"), "open");
    }

    #[test]
    fn a_window_opens_on_its_minute_and_closes_on_its_minute() {
        let week = paris("Mon-Fri 08:00-19:00");
        assert_eq!(
            at(&week, "2026-11-26T06:59:59Z"),
            "Thu 2026-11-26 08:00 +01:00"
        );
        assert_eq!(at(&week, "2026-11-26T07:00:00Z"), "open");
        assert_eq!(at(&week, "2026-11-26T17:59:59Z"), "open");
        assert_eq!(
            at(&week, "2026-11-26T18:00:00Z"),
            "Fri 2026-11-27 08:00 +01:00"
        );
        assert_eq!(
            at(&week, "2026-11-27T18:00:00Z"),
            "Mon 2026-11-30 08:00 +01:00"
        );
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
        let nights = paris("Fri,Sun 22:00-06:00");
        assert_eq!(at(&nights, "2026-11-28T04:59:00Z"), "open");
        assert_eq!(
            at(&nights, "2026-11-28T05:00:00Z"),
            "Sun 2026-11-29 22:00 +01:00"
        );
        assert_eq!(at(&nights, "2026-11-30T03:00:00Z"), "open");
        assert_eq!(
            at(&nights, "2026-11-27T03:00:00Z"),
            "Fri 2026-11-27 22:00 +01:00"
        );
    }

    #[test]
    fn days_go_over_the_end_of_the_week_and_hours_to_its_very_end() {
        let around = paris("Sat-Mon 20:00-24:00");
        assert_eq!(at(&around, "2026-11-29T22:59:00Z"), "open");
        assert_eq!(
            at(&around, "2026-11-29T23:00:00Z"),
            "Mon 2026-11-30 20:00 +01:00"
        );
        assert_eq!(
            at(&around, "2026-12-01T19:30:00Z"),
            "Sat 2026-12-05 20:00 +01:00"
        );
    }

    #[test]
    fn of_several_windows_the_next_counts_each_in_its_zone() {
        let both = windows(&[
            ("Mon-Fri 08:00-10:00", "Europe/Paris"),
            ("Mon-Fri 08:00-10:00", "America/Montreal"),
        ]);
        assert_eq!(at(&both, "2026-11-26T07:30:00Z"), "open");
        assert_eq!(
            at(&both, "2026-11-26T10:00:00Z"),
            "Thu 2026-11-26 08:00 -05:00"
        );
        assert_eq!(at(&both, "2026-11-26T14:00:00Z"), "open");
    }

    /// On 2026-03-29 the clocks of Paris go from 02:00 (+1) to 03:00 (+2), at 01:00Z.
    #[test]
    fn hours_that_a_clock_leaves_out_begin_and_end_when_it_jumps() {
        let begins = paris("Sun 02:30-05:00");
        assert_eq!(
            at(&begins, "2026-03-29T00:59:59Z"),
            "Sun 2026-03-29 03:00 +02:00"
        );
        assert_eq!(at(&begins, "2026-03-29T01:00:00Z"), "open");
        assert_eq!(
            at(&begins, "2026-03-29T03:00:00Z"),
            "Sun 2026-04-05 02:30 +02:00"
        );
        let ends = paris("Sun 00:30-02:30");
        assert_eq!(at(&ends, "2026-03-29T00:59:59Z"), "open");
        assert_eq!(
            at(&ends, "2026-03-29T01:00:00Z"),
            "Sun 2026-04-05 00:30 +02:00"
        );
        let within = paris("Sun 02:10-02:50");
        assert_eq!(
            at(&within, "2026-03-29T00:00:00Z"),
            "Sun 2026-04-05 02:10 +02:00"
        );
    }

    /// On 2026-10-25 the clocks of Paris go from 03:00 (+2) to 02:00 (+1), at 01:00Z.
    #[test]
    fn hours_that_come_twice_count_twice() {
        let begins = paris("Sun 02:30-05:00");
        assert_eq!(
            at(&begins, "2026-10-25T00:00:00Z"),
            "Sun 2026-10-25 02:30 +02:00"
        );
        assert_eq!(at(&begins, "2026-10-25T00:30:00Z"), "open");
        assert_eq!(
            at(&begins, "2026-10-25T01:10:00Z"),
            "open",
            "02:10 for the second time"
        );
        assert_eq!(at(&begins, "2026-10-25T03:59:59Z"), "open");
        let ends = paris("Sat 22:00-02:30");
        assert_eq!(
            at(&ends, "2026-10-25T00:40:00Z"),
            "open",
            "02:40 for the first time"
        );
        assert_eq!(
            at(&ends, "2026-10-25T01:29:59Z"),
            "open",
            "02:29 for the second time"
        );
        assert_eq!(
            at(&ends, "2026-10-25T01:30:00Z"),
            "Sat 2026-10-31 22:00 +01:00"
        );
    }

    #[test]
    fn a_window_that_does_not_read_never_opens() {
        assert_eq!(
            at(
                &windows(&[("Mon-Fri 08:00-19:00", "Mars/Base")]),
                "2026-11-26T12:00:00Z"
            ),
            "never"
        );
        assert_eq!(
            at(&paris("Someday 08:00-19:00"), "2026-11-26T12:00:00Z"),
            "never"
        );
    }
}
