//! Rights in chat are given to people who are named.

use crate::error::did_you_mean;
use crate::fleet::finding::Finding;
use crate::fleet::parts::Parts;

/// Every right that nobody has.
pub fn all(parts: &Parts) -> Vec<Finding> {
    let Some(environment) = &parts.environment else {
        return Vec::new();
    };
    let Some(chat) = &environment.spec().chat else {
        return Vec::new();
    };
    let grants = chat.allow.iter().enumerate();
    let named = grants.flat_map(|(at, grant)| {
        let people = grant.people.iter().enumerate();
        people.map(move |(one, name)| (format!("/spec/chat/allow/{at}/people/{one}"), name))
    });
    let unknown = named.filter(|(_, name)| !chat.people.contains_key(*name));
    let finding = |(pointer, name): (String, &String)| {
        let near = did_you_mean(name, chat.people.keys().map(String::as_str));
        let hint = near.map_or_else(
            || "add it there, with the number of the user in GitLab".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        Finding::error(
            environment.place(&pointer),
            format!("`{name}` is not among `chat.people`"),
        )
        .hint(hint)
    };
    unknown.map(finding).collect()
}
