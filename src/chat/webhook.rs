//! News as incoming webhooks take them.
//!
//! Source: Slack "Sending messages using incoming webhooks", Mattermost "Incoming webhooks": an object with `text`, in which `&`, `<` and `>` are
//! written as entities.

use std::fmt::Write as _;
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use reqwest::Client;
use serde_json::json;
use sha2::Sha256;

use super::story::News;
use crate::fleet::config::{API_VERSION, AnnounceFormat};

/// One attempt takes no longer; nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 3;
const NAP: Duration = Duration::from_secs(2);

/// Where to tell it, with the values of its variables. It is never printed.
pub struct Webhook {
    pub name: String,
    format: AnnounceFormat,
    url: String,
    key: Option<String>,
}

/// A request, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub body: String,
    pub headers: Vec<(&'static str, String)>,
}

impl Webhook {
    pub fn new(name: &str, format: AnnounceFormat, url: String, key: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            format,
            url,
            key,
        }
    }

    /// `link`: where all of it is.
    pub fn message(&self, news: &News, link: Option<&str>) -> Message {
        let text = match link {
            Some(link) => format!("{} ({link})", news.text),
            None => news.text.clone(),
        };
        match self.format {
            AnnounceFormat::Slack | AnnounceFormat::Mattermost => Message {
                body: json!({"text": harmless(&text)}).to_string(),
                headers: Vec::new(),
            },
            AnnounceFormat::Json => self.signed(news, link),
        }
    }

    fn signed(&self, news: &News, link: Option<&str>) -> Message {
        let body = json!({
            "apiVersion": API_VERSION,
            "kind": "Announcement",
            "moment": news.moment,
            "at": news.at,
            "text": news.text,
            "link": link,
        });
        let body = body.to_string();
        let mut headers = vec![("x-escale-timestamp", news.at.as_second().to_string())];
        if let Some(key) = &self.key {
            headers.push(("x-escale-signature", signature(key, news.at, &body)));
        }
        Message { body, headers }
    }

    /// Tells it; what does not get through is said once, without the address.
    pub async fn post(&self, message: &Message) -> Result<(), String> {
        let client = Client::new();
        let mut last = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(NAP).await;
            }
            let mut request = client
                .post(&self.url)
                .header("content-type", "application/json")
                .body(message.body.clone());
            for (name, value) in &message.headers {
                request = request.header(*name, value);
            }
            match request.timeout(PATIENCE).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                // Whatever is wrong with what was sent stays wrong.
                Ok(answer) if answer.status().is_client_error() && answer.status() != 429 => {
                    return Err(format!("it answered {}", answer.status()));
                }
                Ok(answer) => last = format!("it answered {}", answer.status()),
                Err(error) => last = error.without_url().to_string(),
            }
        }
        Err(last)
    }
}

/// `v1=` and the HMAC-SHA256 of `v1:TIMESTAMP:BODY`, as Slack signs what it sends.
fn signature(key: &str, at: Timestamp, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key of any length is one");
    mac.update(format!("v1:{}:{body}", at.as_second()).as_bytes());
    format!("v1={}", hex(&mac.finalize().into_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
        hex
    })
}

/// Text that calls nobody and is no link by itself.
fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => harmless.push_str("&amp;"),
            '<' => harmless.push_str("&lt;"),
            '>' => harmless.push_str("&gt;"),
            '@' => harmless.push('＠'),
            '`' => harmless.push('\''),
            '\n' => harmless.push(' '),
            character if character.is_control() => {}
            character => harmless.push(character),
        }
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::config::Moment;

    fn news(text: &str) -> News {
        News {
            moment: Moment::Stopped,
            at: "2026-11-27T03:00:00Z".parse().unwrap(),
            text: text.to_owned(),
        }
    }

    fn webhook(format: AnnounceFormat) -> Webhook {
        let url = "https://chat.example.com/hooks/planted".to_owned();
        Webhook::new("ops", format, url, Some("planted-key".to_owned()))
    }

    #[test]
    fn text_calls_nobody() {
        let evil = news("STOPPED: <!channel> @all `x` & \u{1b}[31m\nmore");
        let message =
            webhook(AnnounceFormat::Slack).message(&evil, Some("https://gitlab.example.com/1"));
        let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(
            body,
            json!({"text": "STOPPED: &lt;!channel&gt; ＠all 'x' &amp; [31m more (https://gitlab.example.com/1)"})
        );
        assert!(message.headers.is_empty());
    }

    #[test]
    fn what_programs_get_is_signed_with_its_time() {
        let message = webhook(AnnounceFormat::Json).message(&news("STOPPED"), None);
        let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(body["moment"], "stopped");
        assert_eq!(
            message.headers[0],
            ("x-escale-timestamp", "1795748400".to_owned())
        );
        let (name, value) = &message.headers[1];
        assert_eq!((*name, value.len()), ("x-escale-signature", 3 + 64));
        let other = webhook(AnnounceFormat::Json).message(&news("stopped"), None);
        assert_ne!(other.headers[1].1, *value);
        // RFC 4231, test case 2, so that others can verify it: key "Jefe".
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        let known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(&mac.finalize().into_bytes()), known);
    }
}
