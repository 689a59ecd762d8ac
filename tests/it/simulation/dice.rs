//! All chance of a script.

use std::time::Duration;

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

pub struct Dice(TestRng);

impl Dice {
    pub fn of(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.0.next_u64() % 100 < chance
    }

    pub fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        let index = self.0.next_u64() % choices.len() as u64;
        choices[usize::try_from(index).expect("an index")].clone()
    }

    /// Up to so many seconds, in milliseconds.
    pub fn within(&mut self, seconds: u64) -> Duration {
        Duration::from_millis(self.0.next_u64() % (seconds * 1000))
    }
}
