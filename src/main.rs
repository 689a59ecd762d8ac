//! Parses, runs, exits.

use std::process::ExitCode;

fn main() -> ExitCode {
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("the first line of main: no other provider can be there");
    ExitCode::from(escale::cli::run() as u8)
}
