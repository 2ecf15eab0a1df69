//! `slipway-agent`: the container engine of one host.
//!
//! One binary, several small programs: `daemon` serves the API; `spawner` and everything below it is started by the
//! daemon itself and never by a person.
mod args;
mod body;
mod builds;
mod config;
mod daemon;
mod error;
mod http;
mod images;
mod instance;
mod state;

use std::process::ExitCode;

fn main() -> ExitCode {
    let command = match args::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("slipway-agent: {message}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match command {
        args::Command::Help => {
            println!("{}", args::USAGE);
            ExitCode::SUCCESS
        }
        args::Command::Version => {
            println!("slipway-agent {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        args::Command::Daemon(options) => match daemon::run(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("slipway-agent: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}
