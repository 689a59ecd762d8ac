//! Who hears of a rollout in this process: the person who reads along, and the event log.

use crate::cli::events::EventLog;
use crate::cli::stage::Stage;
use crate::cli::ui::Ui;
use crate::cli::voice::Voice;
use crate::engine::Heard;

pub struct Readers<'a> {
    voice: Voice<'a>,
    log: Option<EventLog<'a>>,
}

impl<'a> Readers<'a> {
    pub fn new(ui: &'a Ui, stage: &Stage, log: Option<EventLog<'a>>) -> Self {
        let voice = Voice::new(ui, stage.told_from());
        Self { voice, log }
    }

    pub fn hear(&mut self, heard: &Heard<'_>) {
        self.voice.hear(heard);
        if let Some(log) = &mut self.log {
            log.hear(heard);
        }
    }
}
