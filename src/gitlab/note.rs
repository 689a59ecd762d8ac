//! One note of a merge request that says how things stand now: made once, changed from then on.

use super::Job;
use super::client::{Gitlab, Note, Trouble};
use crate::error::UserError;

/// GitLab takes a million characters; what nobody scrolls through is in the job's files.
pub const LARGEST: usize = 200_000;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Made,
    Changed,
    /// It said the same already.
    Same,
}

/// Makes or changes the note called `name`. Only a note of our own is changed, whatever others write into theirs.
pub async fn keep_note(job: &Job, name: &str, text: &str) -> Result<Kept, UserError> {
    let kept = keep(job, name, text).await;
    kept.map_err(|trouble| {
        let error = UserError::new(format!("the note was not written: {trouble}"));
        match trouble {
            Trouble::Forbidden(_) => error.hint(
                "the token needs the scope `api`, and the role Developer or Maintainer in the project",
            ),
            Trouble::Other(_) => error,
        }
    })
}

async fn keep(job: &Job, name: &str, text: &str) -> Result<Kept, Trouble> {
    let gitlab = Gitlab::new(job)?;
    let mark = mark(name);
    let body = format!("{mark}\n{text}");
    let own = gitlab.user().await?.id;
    let is_it = |note: &Note| note.author.id == own && !note.system && note.body.starts_with(&mark);
    let notes = gitlab.notes().await?;
    let Some(note) = notes.into_iter().find(is_it) else {
        gitlab.create(&body).await?;
        return Ok(Kept::Made);
    };
    // GitLab takes white space off the end.
    if note.body.trim_end() == body.trim_end() {
        return Ok(Kept::Same);
    }
    match gitlab.update(note.id, &body).await {
        Ok(()) => Ok(Kept::Changed),
        // Some servers let a Developer write notes, and not change them.
        Err(Trouble::Forbidden(_)) => {
            gitlab.create(&body).await?;
            Ok(Kept::Made)
        }
        Err(error) => Err(error),
    }
}

/// A comment that nobody sees. Names are ours: letters, digits, dashes and dots.
fn mark(name: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "-._/".contains(character);
    let name: String = name
        .chars()
        .filter(|character| is_plain(*character))
        .collect();
    format!("<!-- escale note: {} -->", name.replace("--", "-"))
}
