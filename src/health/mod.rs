//! Observations → verdicts.
