//! Parses, runs, exits.

use std::process::ExitCode;

/// JSON trees are many small allocations: half of the time went to the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("the first line of main: no other provider can be there");
    ExitCode::from(escale::cli::run() as u8)
}
