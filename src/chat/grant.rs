//! Who may ask for what, and what has to be asked twice.

use jiff::Timestamp;

use super::grammar::{Request, Verb};
use super::identity::Person;
use crate::fleet::config::Chat;
use crate::fleet::matches;

/// A code is good in the five minutes in which it was told, and in the next five.
const MINUTES: i64 = 5;

/// Why somebody may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nobody gave this person anything.
    Unknown,
    /// Not this verb.
    Verb,
    /// Not on this tenant.
    Tenant(String),
}

/// Whether somebody may do it to all of these tenants. People are known by their number: names change hands.
pub fn allowed(
    chat: &Chat,
    person: &Person,
    verb: Verb,
    tenants: &[String],
) -> Result<(), Refused> {
    let known = chat.people.iter().find(|(_, id)| **id == person.id);
    let (name, _) = known.ok_or(Refused::Unknown)?;
    if verb == Verb::Help {
        return Ok(());
    }
    let grants = chat.allow.iter().filter(|grant| {
        let is_meant = grant.people.contains(name);
        is_meant && grant.verbs.iter().any(|granted| Verb::of(*granted) == verb)
    });
    let grants: Vec<_> = grants.collect();
    if grants.is_empty() {
        return Err(Refused::Verb);
    }
    let is_allowed = |tenant: &&String| {
        let mut patterns = grants.iter().flat_map(|grant| &grant.tenants);
        patterns.any(|pattern| matches(pattern, tenant))
    };
    let mut others = tenants.iter().filter(|tenant| !is_allowed(tenant));
    match others.next() {
        Some(tenant) => Err(Refused::Tenant(tenant.clone())),
        // What is about all tenants needs a right to all of them.
        None if tenants.is_empty() && verb != Verb::Status && !is_on_all(&grants) => {
            Err(Refused::Tenant("all tenants".to_owned()))
        }
        None => Ok(()),
    }
}

fn is_on_all(grants: &[&crate::fleet::config::ChatGrant]) -> bool {
    let mut patterns = grants.iter().flat_map(|grant| &grant.tenants);
    patterns.any(|pattern| pattern == "*")
}

/// The code that confirms just this, typed by this person, for some minutes.
pub fn code(request: &Request, tenants: &[String], person: &Person, now: Timestamp) -> String {
    code_at(request, tenants, person, now.as_second() / 60 / MINUTES)
}

pub fn is_confirmed(
    request: &Request,
    tenants: &[String],
    person: &Person,
    now: Timestamp,
) -> bool {
    let minutes = now.as_second() / 60 / MINUTES;
    let codes = [minutes, minutes - 1].map(|at| code_at(request, tenants, person, at));
    request
        .confirm
        .as_ref()
        .is_some_and(|typed| codes.contains(typed))
}

fn code_at(request: &Request, tenants: &[String], person: &Person, minutes: i64) -> String {
    /// Short enough to type, and nobody types it by chance.
    const DIGITS: usize = 6;
    let meant = (
        request.verb.as_str(),
        tenants,
        &request.to,
        &request.time,
        person.id,
        minutes,
    );
    blake3::hash(format!("{meant:?}").as_bytes()).to_hex()[..DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::grammar::read;
    use super::*;
    use crate::fleet::config::{ChatGrant, ChatVerb};

    fn chat() -> Chat {
        let grant = |people: &[&str], verbs: &[ChatVerb], tenants: &[&str]| ChatGrant {
            people: people.iter().map(|&name| name.to_owned()).collect(),
            verbs: verbs.to_vec(),
            tenants: tenants.iter().map(|&name| name.to_owned()).collect(),
        };
        Chat {
            gitlab: "https://gitlab.example.com".to_owned(),
            project: "ops/fleet".to_owned(),
            audience: "escale".to_owned(),
            people: [("ana".to_owned(), 17), ("ben".to_owned(), 23)].into(),
            allow: vec![
                grant(
                    &["ana"],
                    &[ChatVerb::Status, ChatVerb::Rollback],
                    &["vault-*"],
                ),
                grant(&["ben"], &[ChatVerb::Status, ChatVerb::Pause], &["*"]),
            ],
        }
    }

    fn person(id: u64, login: &str) -> Person {
        Person {
            id,
            login: login.to_owned(),
        }
    }

    #[test]
    fn rights_go_by_number_verb_and_tenant_and_nobody_has_any_by_himself() {
        let may = |id, verb, tenants: &[&str]| {
            let tenants: Vec<String> = tenants.iter().map(|&name| name.to_owned()).collect();
            allowed(&chat(), &person(id, "ana"), verb, &tenants)
        };
        assert_eq!(may(17, Verb::Rollback, &["vault-a", "vault-b"]), Ok(()));
        assert_eq!(
            may(17, Verb::Rollback, &["vault-a", "shared"]),
            Err(Refused::Tenant("shared".to_owned()))
        );
        assert_eq!(may(17, Verb::Hold, &["vault-a"]), Err(Refused::Verb));
        assert_eq!(may(17, Verb::Pause, &[]), Err(Refused::Verb));
        assert_eq!(may(23, Verb::Pause, &[]), Ok(()));
        assert_eq!(may(17, Verb::Status, &[]), Ok(()));
        assert_eq!(
            may(99, Verb::Status, &[]),
            Err(Refused::Unknown),
            "called ana, and another number"
        );
    }

    #[test]
    fn a_code_confirms_one_thing_for_one_person_for_some_minutes() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let request = read("rollback a because x").unwrap();
        let tenants = ["a".to_owned()];
        let ana = person(17, "ana");
        let told = code(&request, &tenants, &ana, at(100));
        let typed = |code: &str, text: &str| {
            let mut request = read(text).unwrap();
            request.confirm = Some(code.to_owned());
            request
        };
        let same = typed(&told, "rollback a because x");
        assert!(
            is_confirmed(&same, &tenants, &ana, at(104))
                && is_confirmed(&same, &tenants, &ana, at(109))
        );
        assert!(!is_confirmed(&same, &tenants, &ana, at(110)));
        assert!(!is_confirmed(&same, &tenants, &person(23, "ben"), at(101)));
        assert!(!is_confirmed(&same, &["b".to_owned()], &ana, at(101)));
        let other = typed(&told, "rollback a to last-good because x");
        assert!(!is_confirmed(&other, &tenants, &ana, at(101)));
    }
}
