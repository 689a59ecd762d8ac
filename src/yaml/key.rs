//! Keys that are not strings become strings, as in `sigs.k8s.io/yaml`.

use crate::yaml::scalar::Scalar;

/// The text of a key; `Err` says why it cannot be one.
pub fn text(key: &Scalar) -> Result<String, &'static str> {
    match key {
        Scalar::Text(text) => Ok(text.clone()),
        Scalar::Bool(bool) => Ok(bool.to_string()),
        Scalar::Integer(integer) => Ok(integer.to_string()),
        Scalar::Float(float) => Ok(short_float(*float)),
        Scalar::Null => Err("a key is null"),
        Scalar::Unsigned(_) => Err("a key is a number beyond 64 bits"),
    }
}

/// Go's `strconv.FormatFloat(key, 'g', -1, 32)`: the shortest digits of a 32-bit float, with an
/// exponent below 1e-4 and from 1e6 on.
fn short_float(float: f64) -> String {
    /// From this decimal exponent on, `g` with the shortest precision writes an exponent.
    const LARGE: i32 = 6;
    #[expect(clippy::cast_possible_truncation, reason = "what kubectl does too")]
    let float = float as f32;
    if float.is_nan() {
        return ".nan".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().expect("Rust writes integers as exponents");
    if (-4..LARGE).contains(&exponent) {
        return float.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
