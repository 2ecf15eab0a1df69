//! `slipway-agent`: the container engine of one host.
//!
//! One binary, several small programs: `daemon` serves the API; `spawner` and everything below it is started by the
//! daemon itself and never by a person.
mod args;
mod body;
mod build_executor;
mod build_policy;
mod builds;
mod config;
mod containers;
mod daemon;
mod down;
mod error;
mod events;
mod execs;
mod heap;
mod http;
mod images;
mod instance;
mod ledger;
mod networks;
mod policy;
mod seccomp;
mod state;
mod userns;
mod volumes;

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
        args::Command::Spawner => ExitCode::from(u8::try_from(slipway_runtime::spawner_main()).unwrap_or(1)),
        args::Command::Oci(args) => ExitCode::from(u8::try_from(slipway_oci::main(args.into_iter())).unwrap_or(1)),
        args::Command::Daemon(options) => finish(daemon::run(options)),
        args::Command::Down(data_root) => finish(down::run(&data_root)),
    }
}

fn finish(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("slipway-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
