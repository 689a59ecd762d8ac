//! The only door for YAML, in and out: read as kubectl reads, emitted so that kubectl reads back the same.
