//! What a scalar means: the rules of go-yaml v2, which `kubectl` uses (facts from its `resolve.go`).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

/// The prefix of YAML's own tags: `!!int` is `tag:yaml.org,2002:int`.
pub const CORE: &str = "tag:yaml.org,2002:";

/// A scalar with its meaning, before it becomes JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Null,
    Bool(bool),
    Integer(i64),
    /// Above `i64::MAX`.
    Unsigned(u64),
    Float(f64),
    Text(String),
}

/// Gives meaning to a plain scalar without a tag.
pub fn plain(text: &str) -> Scalar {
    match text.as_bytes().first() {
        None => Scalar::Null,
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => {
            named(text).unwrap_or_else(|| Scalar::Text(text.to_owned()))
        }
        Some(b'.' | b'+' | b'-' | b'0'..=b'9') => named(text)
            .or_else(|| number(text))
            .unwrap_or_else(|| Scalar::Text(text.to_owned())),
        Some(_) => Scalar::Text(text.to_owned()),
    }
}

/// Gives meaning to a scalar with an explicit tag; `Err` says why it cannot be.
pub fn tagged(tag: &str, text: &str) -> Result<Scalar, String> {
    let Some(name) = tag.strip_prefix(CORE) else {
        // Tags that YAML does not define mean nothing to kubectl: the text stays text.
        return Ok(Scalar::Text(text.to_owned()));
    };
    let found = match name {
        "binary" => return decode(text),
        "timestamp" => {
            return Err("the tag `!!timestamp` is not supported: dates are strings".into());
        }
        "null" | "bool" | "int" | "float" => plain(text),
        // `!!str`, and tags that are for collections.
        _ => return Ok(Scalar::Text(text.to_owned())),
    };
    match (name, found) {
        ("float", Scalar::Integer(integer)) => {
            #[expect(clippy::cast_precision_loss, reason = "what kubectl does too")]
            let float = integer as f64;
            Ok(Scalar::Float(float))
        }
        ("null", found @ Scalar::Null)
        | ("bool", found @ Scalar::Bool(_))
        | ("int", found @ (Scalar::Integer(_) | Scalar::Unsigned(_)))
        | ("float", found @ Scalar::Float(_)) => Ok(found),
        _ => Err(format!("`{text}` is not what its tag `!!{name}` says")),
    }
}

/// The meaning of a scalar that is JSON already.
pub fn of_json(value: Value) -> Scalar {
    match value {
        Value::Bool(bool) => Scalar::Bool(bool),
        Value::String(text) => Scalar::Text(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Scalar::Integer(integer),
            (None, Some(float)) => Scalar::Float(float),
            (None, None) => Scalar::Text(number.to_string()),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => Scalar::Null,
    }
}

impl Scalar {
    /// The scalar in JSON; `None` for infinities and not-a-number, which JSON does not have.
    pub fn to_json(&self) -> Option<Value> {
        match self {
            Self::Null => Some(Value::Null),
            Self::Bool(bool) => Some((*bool).into()),
            Self::Integer(integer) => Some((*integer).into()),
            // kubectl's JSON decoder makes floats of integers that need the 64th bit.
            #[expect(clippy::cast_precision_loss, reason = "what kubectl does too")]
            Self::Unsigned(unsigned) => json_float(*unsigned as f64),
            Self::Float(float) => json_float(*float),
            Self::Text(text) => Some(text.as_str().into()),
        }
    }
}

/// A float as it comes out of kubectl's JSON: written in full below 1e21, so that integral values
/// are read back as integers.
fn json_float(float: f64) -> Option<Value> {
    if float.fract() == 0.0 && float.abs() < 1e21 {
        let digits = float.to_string();
        if let Ok(integer) = digits.parse::<i64>() {
            return Some(integer.into());
        }
        if let Ok(unsigned) = digits.parse::<u64>() {
            return Some(unsigned.into());
        }
    }
    serde_json::Number::from_f64(float).map(Value::Number)
}

fn named(text: &str) -> Option<Scalar> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn number(text: &str) -> Option<Scalar> {
    if text.starts_with('.') {
        // Here Go's own rule for `_` holds: only between digits.
        return has_underscores_between_digits(text)
            .then(|| float(&text.replace('_', "")))
            .flatten();
    }
    let digits = text.replace('_', "");
    integer(&digits)
        .or_else(|| float(&digits))
        .or_else(|| quirky_binary(&digits))
}

fn has_underscores_between_digits(text: &str) -> bool {
    let pieces = text.split('_').collect::<Vec<_>>();
    pieces.windows(2).all(|pair| {
        pair[0].ends_with(|last: char| last.is_ascii_digit())
            && pair[1].starts_with(|first: char| first.is_ascii_digit())
    })
}

/// Go's `strconv.ParseInt` with base 0, then `ParseUint`.
fn integer(digits: &str) -> Option<Scalar> {
    let (sign, magnitude) = match digits.as_bytes().first()? {
        b'-' => ("-", &digits[1..]),
        b'+' => ("+", &digits[1..]),
        _ => ("", digits),
    };
    let (radix, magnitude) = radix(magnitude);
    if !magnitude.starts_with(|first: char| first.is_digit(radix)) {
        return None;
    }
    match i64::from_str_radix(&format!("{sign}{magnitude}"), radix) {
        Ok(integer) => Some(Scalar::Integer(integer)),
        Err(_) if sign.is_empty() => u64::from_str_radix(magnitude, radix)
            .ok()
            .map(Scalar::Unsigned),
        Err(_) => None,
    }
}

fn radix(digits: &str) -> (u32, &str) {
    match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, if a float can hold it: go-yaml keeps
/// `123e4567`, a likely git hash, as text.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_mantissa = is_digits(whole) && is_digits(fraction) && whole.len() + fraction.len() > 0;
    let has_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && is_digits(digits)
    });
    if !has_mantissa || !has_exponent {
        return None;
    }
    let float = text.parse::<f64>().ok()?;
    float.is_finite().then_some(Scalar::Float(float))
}

/// go-yaml tries binary a second time, and then takes a sign behind the prefix: `0b-1`.
fn quirky_binary(digits: &str) -> Option<Scalar> {
    let signed = digits.strip_prefix("0b")?;
    i64::from_str_radix(signed, 2).ok().map(Scalar::Integer)
}

/// `!!binary` becomes the decoded bytes, each that is not UTF-8 replaced by U+FFFD, as in Go.
fn decode(text: &str) -> Result<Scalar, String> {
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let compact = text.replace(['\r', '\n'], "");
    let bytes = GeneralPurpose::new(&STANDARD, config)
        .decode(compact)
        .map_err(|_| "the `!!binary` value is not base64".to_owned())?;
    let mut decoded = String::new();
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        decoded.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Ok(Scalar::Text(decoded))
}
