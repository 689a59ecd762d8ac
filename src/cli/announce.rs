//! Tells channels how a rollout goes, beside it: slow or dead, they keep nothing waiting.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::chat::{News, Story, Webhook};
use crate::cli::events::Origin;
use crate::cli::ui::Ui;
use crate::cli::who::variable;
use crate::engine::Heard;
use crate::fleet::config::{Announce, Moment};

/// So many are waiting to be told at most; what comes then is left out.
const WAITING: usize = 32;
/// At the end so long is waited for those that are under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who is told, and what of.
pub struct Announcer {
    story: Story,
    channels: Vec<Channel>,
}

struct Channel {
    of: Vec<Moment>,
    name: String,
    sender: mpsc::Sender<News>,
    task: JoinHandle<Vec<String>>,
    left_out: usize,
}

impl Announcer {
    /// Those whose variables are set; of others it is said that they are not. Nobody is told of a simulation.
    pub fn of(
        announce: &BTreeMap<String, Announce>,
        origin: &Origin,
        (ui, is_simulated): (&Ui, bool),
    ) -> Self {
        let who = (origin.who.name.as_str(), origin.who.why.as_str());
        let story = Story::new(&origin.environment, origin.release.as_deref(), who);
        let mut channels = Vec::new();
        for (name, announce) in announce.iter().filter(|_| !is_simulated) {
            match webhook(name, announce) {
                Ok(webhook) => channels.push(Channel::open(webhook, announce.of.clone())),
                Err(why) => ui.say(format!("`{name}` is not told: {why}")),
            }
        }
        Self { story, channels }
    }

    pub fn hear(&mut self, heard: &Heard<'_>) {
        let news = match heard {
            Heard::Begins(beginning) => {
                self.story
                    .begins(beginning.at, beginning.progress, beginning.frozen)
            }
            Heard::Event {
                event, progress, ..
            } => self.story.happens(event, progress),
            Heard::Waits { wait, now } => self.story.waits(wait, *now),
        };
        let Some(news) = news else { return };
        for channel in &mut self.channels {
            if channel.of.contains(&news.moment) && channel.sender.try_send(news.clone()).is_err() {
                channel.left_out += 1;
            }
        }
    }

    /// Waits for what is under way, not for ever, and says what did not get through.
    pub async fn end(self, ui: &Ui) {
        for channel in self.channels {
            let Channel {
                name,
                sender,
                task,
                left_out,
                ..
            } = channel;
            drop(sender);
            let abort = task.abort_handle();
            if let Ok(Ok(troubles)) = tokio::time::timeout(PATIENCE, task).await {
                if let [first, more @ ..] = troubles.as_slice() {
                    let more = more.len();
                    ui.say(format!("`{name}` was not told: {first} (and {more} more)"));
                }
            } else {
                abort.abort();
                ui.say(format!("`{name}` was not told everything: it is too slow"));
            }
            if left_out > 0 {
                ui.say(format!(
                    "`{name}` was not told {left_out} things: it is too slow"
                ));
            }
        }
    }
}

impl Channel {
    fn open(webhook: Webhook, of: Vec<Moment>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            of,
            name: webhook.name.clone(),
            sender,
            task: tokio::spawn(tell(webhook, receiver)),
            left_out: 0,
        }
    }
}

/// One after the other, in order. Answers what went wrong.
async fn tell(webhook: Webhook, mut news: mpsc::Receiver<News>) -> Vec<String> {
    let link = variable("CI_JOB_URL");
    let mut troubles = Vec::new();
    while let Some(news) = news.recv().await {
        let message = webhook.message(&news, link.as_deref());
        if let Err(trouble) = webhook.post(&message).await {
            troubles.push(trouble);
        }
    }
    troubles
}

fn webhook(name: &str, announce: &Announce) -> Result<Webhook, String> {
    let value = |reference: &str| {
        let variable_name = reference.strip_prefix("env:").unwrap_or(reference);
        variable(variable_name).ok_or_else(|| format!("the variable `{variable_name}` is not set"))
    };
    let key = announce.key.as_deref().map(value).transpose()?;
    Ok(Webhook::new(
        name,
        announce.format,
        value(&announce.url)?,
        key,
    ))
}
