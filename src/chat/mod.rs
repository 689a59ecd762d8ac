//! Chat: what a person types becomes a request, checked and never near a shell; the answer becomes one section of a log.

mod grammar;
mod grant;
mod identity;
mod reply;

pub use grammar::{HELP, Misread, Request, Verb, read};
pub use grant::{Refused, allowed, code, is_confirmed};
pub use identity::{Claims, Person, fetch_keys, verify};
pub use reply::{LARGEST, section};
