//! Kubernetes quantities: `0.5`, `500m`, `1Gi`, `1e3`, by value and in the spelling that the API server answers.
//!
//! Grammar, rounding and canonical form are those of apimachinery's `pkg/api/resource`. Arithmetic is exact in
//! billionths, which is the smallest quantity there is: what is smaller is rounded up, as there.

use std::borrow::Cow;

use serde_json::Value;

/// A quantity by value; how it was written shows only in `canonical`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    billionths: i128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    DecimalSi,
    BinarySi,
    DecimalExponent,
}

/// A quantity taken apart as it was written: `sign`, `whole.fraction`, base and exponent of the suffix.
struct Written<'a> {
    is_negative: bool,
    /// Without leading zeros.
    whole: &'a str,
    fraction: &'a str,
    format: Format,
    exponent: i32,
}

const BILLION: i128 = 1_000_000_000;
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: [(&str, i32); 6] = [
    ("Ki", 10),
    ("Mi", 20),
    ("Gi", 30),
    ("Ti", 40),
    ("Pi", 50),
    ("Ei", 60),
];

/// Reads a quantity; `None` for what is none, and for magnitudes beyond 10^29, which nobody orders.
pub fn parse(text: &str) -> Option<Quantity> {
    let written = take_apart(text)?;
    value_of(&written).map(|billionths| Quantity { billionths })
}

/// Whether two spellings mean the same: `0.5` and `500m`. What is no quantity equals nothing.
pub fn equal(left: &str, right: &str) -> bool {
    let left = parse(left);
    left.is_some() && left == parse(right)
}

/// Whether two JSON values, text or number, mean the same quantity.
pub fn equal_values(left: &Value, right: &Value) -> bool {
    match (spelling(left), spelling(right)) {
        (Some(left), Some(right)) => left == right || equal(&left, &right),
        _ => false,
    }
}

/// The spelling in which the API server answers this quantity; `None` for what is none.
///
/// It keeps what was sent where a quick look finds it canonical already, even where it is not (`1.500`), and
/// otherwise writes the largest suffix without a fraction.
pub fn canonical(text: &str) -> Option<Cow<'_, str>> {
    let written = take_apart(text)?;
    let billionths = value_of(&written)?;
    if text == "0" || is_kept_as_written(&written) {
        return Some(Cow::Borrowed(text));
    }
    let binary = written.format == Format::BinarySi
        && billionths.abs() >= 1024 * BILLION
        && billionths % BILLION == 0;
    Some(Cow::Owned(match written.format {
        _ if billionths == 0 => "0".to_owned(),
        Format::BinarySi if binary => spell_binary(billionths / BILLION),
        format => spell_decimal(billionths, format),
    }))
}

fn spelling(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text.trim())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

fn take_apart(text: &str) -> Option<Written<'_>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_empty = text.is_empty()
        || !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    if is_empty {
        return None;
    }
    let digits = |text: &str| {
        text.find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(text.len())
    };
    let (whole, rest) = unsigned.split_at(digits(unsigned));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (format, exponent) = suffix_of(suffix)?;
    Some(Written {
        is_negative: text.starts_with('-'),
        whole: whole.trim_start_matches('0'),
        fraction,
        format,
        exponent,
    })
}

fn suffix_of(suffix: &str) -> Option<(Format, i32)> {
    let listed = |table: &[(&str, i32)]| {
        table
            .iter()
            .find(|(name, _)| *name == suffix)
            .map(|(_, exponent)| *exponent)
    };
    if let Some(exponent) = listed(&DECIMAL) {
        return Some((Format::DecimalSi, exponent));
    }
    if let Some(exponent) = listed(&BINARY) {
        return Some((Format::BinarySi, exponent));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some((Format::DecimalExponent, exponent))
}

/// In billionths, rounded away from zero; binary quantities end at 2^63 - 1.
fn value_of(written: &Written) -> Option<i128> {
    let digits: i128 = match format!("{}{}", written.whole, written.fraction).as_str() {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let (factor, tens) = match written.format {
        Format::BinarySi => (1_i128 << written.exponent, 0),
        Format::DecimalSi | Format::DecimalExponent => (1, written.exponent),
    };
    let tens = tens
        .checked_add(9)?
        .checked_sub(i32::try_from(written.fraction.len()).ok()?)?;
    let scaled = digits.checked_mul(factor)?;
    let power = || 10_i128.checked_pow(tens.unsigned_abs());
    let magnitude = match (tens, power()) {
        _ if scaled == 0 => 0,
        (0.., power) => scaled.checked_mul(power?)?,
        (_, Some(power)) => scaled / power + i128::from(scaled % power != 0),
        (_, None) => 1,
    };
    let cap = i128::from(i64::MAX) * BILLION;
    let magnitude = if written.format == Format::BinarySi {
        magnitude.min(cap)
    } else {
        magnitude
    };
    Some(if written.is_negative {
        -magnitude
    } else {
        magnitude
    })
}

/// The quick look of the API server's parser: it then answers the very text that was sent.
fn is_kept_as_written(written: &Written) -> bool {
    let whole = if written.whole.is_empty() {
        "0"
    } else {
        written.whole
    };
    let length = |text: &str| i32::try_from(text.len()).unwrap_or(i32::MAX);
    let fits_precision = match written.format {
        Format::BinarySi => {
            written.fraction.is_empty() && 15 - length(whole) - written.exponent * 3 / 10 > 0
        }
        Format::DecimalSi | Format::DecimalExponent => {
            length(whole) + length(written.fraction) <= 18
        }
    };
    if !fits_precision {
        return false;
    }
    if written.format == Format::BinarySi {
        return whole.parse::<i64>().is_ok_and(|value| value & 7 != 0);
    }
    let scale = written.exponent.saturating_sub(length(written.fraction));
    let shifted = [whole, written.fraction].concat();
    scale >= -9 && scale % 3 == 0 && !shifted.ends_with("000") && !shifted.starts_with('0')
}

fn spell_binary(mut units: i128) -> String {
    let mut suffix = "";
    for (next, _) in BINARY {
        if units % 1024 != 0 || units.abs() < 1024 {
            break;
        }
        units /= 1024;
        suffix = next;
    }
    format!("{units}{suffix}")
}

fn spell_decimal(billionths: i128, format: Format) -> String {
    let (mut mantissa, mut exponent) = (billionths, -9);
    while mantissa % 1000 == 0 && (format == Format::DecimalExponent || exponent < 18) {
        mantissa /= 1000;
        exponent += 3;
    }
    match format {
        Format::DecimalExponent if exponent != 0 => format!("{mantissa}e{exponent}"),
        _ => {
            let suffix = DECIMAL.iter().find(|(_, known)| *known == exponent);
            format!("{mantissa}{}", suffix.map_or("", |(name, _)| name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spellings_of_one_amount_are_equal() {
        for (left, right) in [
            ("0.5", "500m"),
            ("1", "1000m"),
            ("1Gi", "1024Mi"),
            ("1.5Gi", "1536Mi"),
            ("1k", "1e3"),
            ("1E3", "1000"),
            ("+2", "2.0"),
            (".5", "500000u"),
            ("0", "0Gi"),
            ("128974848", "123Mi"),
            ("1E", "1e18"),
            ("-1", "-1000m"),
        ] {
            assert!(equal(left, right), "{left} and {right}");
        }
    }

    #[test]
    fn different_amounts_and_nonsense_are_not_equal() {
        for (left, right) in [
            ("1G", "1Gi"),
            ("1m", "1M"),
            ("1", "-1"),
            ("", ""),
            ("a", "a"),
            ("1 Gi", "1Gi"),
            ("1ki", "1Ki"),
            ("1e", "1e"),
            (".", "."),
            ("--1", "--1"),
        ] {
            assert!(!equal(left, right), "{left} and {right}");
        }
    }

    #[test]
    fn json_numbers_are_quantities_too() {
        assert!(equal_values(&json!(1), &json!("1000m")));
        assert!(equal_values(&json!(0.5), &json!("500m")));
        assert!(!equal_values(&json!(null), &json!(null)));
    }

    #[test]
    fn the_answer_has_the_largest_suffix_without_a_fraction() {
        for (sent, answered) in [
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Gi", "512Mi"),
            ("2048Ki", "2Mi"),
            ("1500Mi", "1500Mi"),
            ("100Ki", "100Ki"),
            ("0.1", "100m"),
            ("1000", "1k"),
            ("1e3", "1e3"),
            ("1e4", "10e3"),
            ("0Gi", "0"),
            ("1.500", "1.500"),
            ("1.5", "1500m"),
            ("8Gi", "8Gi"),
            ("1n", "1n"),
            ("0.0000000001", "1n"),
            ("0.5Ki", "512"),
            ("-1.5", "-1500m"),
        ] {
            assert_eq!(canonical(sent).as_deref(), Some(answered), "{sent}");
        }
    }

    #[test]
    fn what_is_smaller_than_a_billionth_is_rounded_up() {
        assert_eq!(parse("0.1n"), parse("1n"));
        assert_eq!(parse("1e-40"), parse("1n"));
    }
}
