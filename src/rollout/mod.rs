//! Strategy, plan, progress, next: the pure state machine.
