//! Reads an object without its `managedFields`: half of its bytes, and only writers want them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

pub(super) fn read(json: &[u8]) -> serde_json::Result<Value> {
    Level::Object.deserialize(&mut serde_json::Deserializer::from_slice(json))
}

/// Where in an object a map stands.
#[derive(Clone, Copy)]
enum Level {
    Object,
    Metadata,
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let member = match (self, key.as_str()) {
                (Self::Object, "metadata") => map.next_value_seed(Self::Metadata)?,
                (Self::Metadata, "managedFields") => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                _ => map.next_value()?,
            };
            members.insert(key, member);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_owners_of_fields_are_left_out() {
        let managed = json!([{"manager": "escale", "fieldsV1": {"f:spec": {}}}]);
        let object = json!({
            "kind": "ConfigMap", "metadata": {"name": "a", "managedFields": managed, "labels": {"managedFields": "b"}},
            "data": {"metadata": {"managedFields": "c"}},
        });
        let mut wanted = object.clone();
        wanted["metadata"]
            .as_object_mut()
            .expect("a map")
            .remove("managedFields");
        let read = read(object.to_string().as_bytes()).expect("an object");
        assert_eq!(read, wanted);
        assert!(super::read(b"[]").is_err());
        assert!(super::read(b"{\"metadata\":").is_err());
    }
}
