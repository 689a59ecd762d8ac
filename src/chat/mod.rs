//! Chat: what a person types becomes a request, checked and never near a shell; the answer becomes one section of a log.
//! And what channels are told of rollouts.

mod grammar;
mod grant;
mod identity;
mod reply;
mod story;
mod webhook;

pub use grammar::{HELP, Misread, Request, Verb, read};
pub use grant::{Refused, allowed, code, is_confirmed};
pub use identity::{Claims, Person, fetch_keys, verify};
pub use reply::{LARGEST, section};
pub use story::{News, Story};
pub use webhook::{Message, Webhook};
