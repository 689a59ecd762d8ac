//! The async runtimes: one for the world, one for simulations, whose clock jumps while all wait.

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::engine::Stop;
use crate::error::Exit;

/// Runs a future against the world.
pub fn real<T>(future: impl Future<Output = T>) -> T {
    build(Builder::new_multi_thread().enable_all()).block_on(future)
}

/// Runs a future in virtual time, on one thread: the same seed gives the same run.
pub fn virtual_time<T>(future: impl Future<Output = T>) -> T {
    build(
        Builder::new_current_thread()
            .enable_all()
            .start_paused(true),
    )
    .block_on(future)
}

fn build(builder: &mut Builder) -> Runtime {
    builder
        .build()
        .expect("a runtime needs nothing that a process has not")
}

/// Hears Ctrl-C and SIGTERM: the first finishes the writes under way, the second ends at once.
pub fn stop_signals() -> watch::Receiver<Stop> {
    let (sender, receiver) = watch::channel(Stop::GoOn);
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            // Nobody can stop us gently then; a kill is safe at any time.
            return sender.closed().await;
        };
        for _ in 0..2 {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if *sender.borrow() == Stop::Gently {
                std::process::exit(Exit::NotFinished as i32);
            }
            sender.send_replace(Stop::Gently);
        }
    });
    receiver
}

/// Nobody stops a simulation.
pub fn never_stops() -> watch::Receiver<Stop> {
    watch::channel(Stop::GoOn).1
}
