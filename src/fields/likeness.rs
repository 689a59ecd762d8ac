//! Whether the API server, having been sent one value, answers another.
//!
//! It spells quantities its own way, leaves out what is empty and fills in defaults; each of these is a difference
//! to its field managers even where the stored object stays the same.

use serde_json::{Map, Value};

use super::quantity;
use super::schema::{self, Scalar, Shape, TypeRef};
use super::value;

/// How a live value relates to one that was sent; the later, the less alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// Equal as JSON, but for how numbers are written.
    Same,
    /// What the server makes of the sent value, but spelt otherwise.
    SpeltOtherwise,
    /// Likewise, and with something empty in it that the server leaves out.
    Emptied,
    Different,
}

use Likeness::{Different, Emptied, Same, SpeltOtherwise};

/// Compares a scalar or an atomic, that is: whole.
pub(super) fn likeness(type_ref: TypeRef, sent: &Value, live: &Value) -> Likeness {
    if value::same(sent, live) {
        return Same;
    }
    match (type_ref.resolve().shape_of(sent), sent, live) {
        (Shape::Scalar(Some(Scalar::Quantity)), sent, Value::String(live)) => {
            likeness_of_quantities(sent, live)
        }
        (Shape::List(list), Value::Array(sent), Value::Array(live)) if sent.len() == live.len() => {
            worst(
                sent.iter()
                    .zip(live)
                    .map(|(sent, live)| likeness(list.of, sent, live)),
            )
        }
        (Shape::Map(map), Value::Object(sent), Value::Object(live)) => {
            likeness_of_maps(map, sent, live)
        }
        (Shape::List(_), sent, Value::Null) if vanishes(type_ref, sent) => Emptied,
        _ => Different,
    }
}

/// Whether the server answers nothing at all for this value of a field that a struct names. A zero or false of which
/// we are noted as owner and that still does not show is one that Go leaves out.
pub(super) fn vanishes(type_ref: TypeRef, sent: &Value) -> bool {
    if type_ref.is_deduced() {
        return false;
    }
    match (type_ref.resolve().shape_of(sent), sent) {
        (_, Value::Null | Value::Bool(false)) => true,
        (_, Value::Number(number)) => number.as_f64() == Some(0.0),
        (_, Value::String(text)) => text.is_empty(),
        (_, Value::Array(items)) => items.is_empty(),
        (Shape::Map(map), Value::Object(entries)) => entries.is_empty() && map.is_free(),
        _ => false,
    }
}

fn worst(all: impl IntoIterator<Item = Likeness>) -> Likeness {
    all.into_iter().max().unwrap_or(Same)
}

fn likeness_of_quantities(sent: &Value, live: &str) -> Likeness {
    let number;
    let sent = match sent {
        Value::String(text) => text.trim(),
        Value::Number(written) => {
            number = written.to_string();
            &number
        }
        _ => return Different,
    };
    if quantity::canonical(sent).is_some_and(|answered| answered == live) {
        SpeltOtherwise
    } else {
        Different
    }
}

fn likeness_of_maps(
    map: &schema::Map,
    sent: &Map<String, Value>,
    live: &Map<String, Value>,
) -> Likeness {
    let of_sent = sent.iter().map(|(name, value)| {
        let type_ref = map.type_of(name).unwrap_or(TypeRef::DEDUCED);
        match live.get(name) {
            Some(live) => likeness(type_ref, value, live),
            None if !map.is_free() && vanishes(type_ref, value) => Emptied,
            None => Different,
        }
    });
    let filled_in = live
        .iter()
        .filter(|(name, _)| !sent.contains_key(*name))
        .map(|(name, value)| {
            if map.fills_in(name, value) {
                SpeltOtherwise
            } else {
                Different
            }
        });
    worst([worst(of_sent), worst(filled_in)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::schema;
    use serde_json::json;

    fn of_ingress(sent: &Value, live: &Value) -> Likeness {
        let policy = schema().type_of("networking.k8s.io/v1", "NetworkPolicy");
        likeness(
            policy,
            &json!({"spec": {"ingress": sent}}),
            &json!({"spec": {"ingress": live}}),
        )
    }

    #[test]
    fn defaults_inside_an_atomic_are_another_spelling_and_other_additions_a_difference() {
        let sent = json!([{"ports": [{"port": 80}]}]);
        let with = |protocol: &str| json!([{"ports": [{"port": 80, "protocol": protocol}]}]);
        assert_eq!(of_ingress(&sent, &sent), Same);
        assert_eq!(of_ingress(&sent, &with("TCP")), SpeltOtherwise);
        assert_eq!(of_ingress(&sent, &with("UDP")), Different);
        assert_eq!(of_ingress(&with("TCP"), &sent), Different);
    }

    #[test]
    fn quantities_count_as_the_server_would_spell_them() {
        let pod = schema().type_of("v1", "Pod");
        let limit =
            |cpu: Value| json!({"spec": {"containers": [{"resources": {"limits": {"cpu": cpu}}}]}});
        assert_eq!(
            likeness(pod, &limit(json!("0.5")), &limit(json!("500m"))),
            SpeltOtherwise
        );
        assert_eq!(
            likeness(pod, &limit(json!(1)), &limit(json!("1"))),
            SpeltOtherwise
        );
        // The server would keep `1.500` as it is and thereby change the object.
        assert_eq!(
            likeness(pod, &limit(json!("1.500")), &limit(json!("1500m"))),
            Different
        );
        assert_eq!(
            likeness(pod, &limit(json!("1")), &limit(json!("2"))),
            Different
        );
    }
}
