//! How much aliases may copy: a few lines of YAML can ask for gigabytes.

use crate::yaml::{Content, Node};

/// In bytes, roughly. A fleet's templates copy kilobytes.
const ALLOWED: usize = 4 * 1024 * 1024;

/// What is left to copy in one document.
pub struct Budget {
    left: usize,
}

impl Budget {
    pub fn new() -> Self {
        Self { left: ALLOWED }
    }

    /// Copies a node if the budget allows it. Costs no more than the budget when it does not.
    pub fn copy(&mut self, node: &Node) -> Option<Node> {
        self.spend(node)?;
        Some(node.clone())
    }

    fn spend(&mut self, node: &Node) -> Option<()> {
        self.take(size_of::<Node>())?;
        match &node.content {
            Content::Scalar(value) => self.take(value.as_str().map_or(0, str::len)),
            Content::Sequence(items) => items.iter().try_for_each(|item| self.spend(item)),
            Content::Mapping(entries) => entries.iter().try_for_each(|entry| {
                self.take(size_of::<String>() + entry.key.len())?;
                self.spend(&entry.value)
            }),
        }
    }

    fn take(&mut self, bytes: usize) -> Option<()> {
        self.left = self.left.checked_sub(bytes)?;
        Some(())
    }
}
