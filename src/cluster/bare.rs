//! Reads an object without what nobody asks to judge its health: who owns which field, and how containers are made.
//! That is nine tenths of its bytes, and reading them is what long rollouts would cost.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Members of a spec that are left out: those of pods, and templates of pods.
const MAKING: [&str; 4] = ["containers", "initContainers", "jobTemplate", "template"];

pub fn read_bare(json: &[u8]) -> serde_json::Result<Value> {
    Level::Object.deserialize(&mut serde_json::Deserializer::from_slice(json))
}

/// Where in an object a map stands.
#[derive(Clone, Copy)]
enum Level {
    Object,
    Metadata,
    Spec,
}

impl Level {
    fn leaves_out(self, key: &str) -> bool {
        match self {
            Self::Object => false,
            Self::Metadata => key == "managedFields",
            Self::Spec => MAKING.contains(&key),
        }
    }
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
            if self.leaves_out(&key) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let member = match (self, key.as_str()) {
                (Self::Object, "metadata") => map.next_value_seed(Self::Metadata)?,
                (Self::Object, "spec") => map.next_value_seed(Self::Spec)?,
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
    fn only_owners_of_fields_and_the_making_of_pods_are_left_out() {
        let managed = json!([{"manager": "escale", "fieldsV1": {"f:spec": {}}}]);
        let template = json!({"spec": {"containers": []}});
        let mut object = json!({
            "kind": "Deployment", "metadata": {"name": "a", "labels": {"managedFields": "b", "template": "c"}},
            "spec": {"replicas": 2, "selector": {"template": {}}}, "data": {"metadata": {"managedFields": "c"}},
        });
        let wanted = object.clone();
        object["metadata"]["managedFields"] = managed;
        object["spec"]["template"] = template;
        let read = read_bare(object.to_string().as_bytes()).expect("an object");
        assert_eq!(read, wanted);
        assert!(read_bare(b"[]").is_err());
        assert!(read_bare(b"{\"spec\":7}").is_err());
        assert!(read_bare(b"{\"metadata\":").is_err());
    }
}
