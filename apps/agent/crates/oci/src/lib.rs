//! The OCI runtime mode: containers from bundles, driven by a command line like runc's, without a daemon.
mod args;
mod command;
mod config;
mod console;
mod error;
mod files;
mod filter;
mod group;
mod hooks;
mod host_mounts;
mod inside;
mod launch;
mod lock;
mod process;
mod report;
mod resources;
mod socket;
mod state;
mod wire;

use std::ffi::OsString;
use std::io::Write;

/// Mount options as `mount(8)` writes them; the daemon's volumes have them too.
pub use inside::options as mount_options;

use args::Command;
use error::{During, Result};

/// Runs one command, `args` being what follows `oci`; the exit code. Must be called while the process has one thread.
pub fn main(args: impl Iterator<Item = OsString>) -> i32 {
    let (global, log, command) = match args::parse(args) {
        Ok(parsed) => parsed,
        Err(error) => {
            report::error(&error.to_string());
            return 1;
        }
    };
    report::set_up(log);
    let of_program = matches!(command, Command::Exec(_));
    match run(&global, command) {
        Ok(code) => code,
        Err(error) => {
            report::error(&error.to_string());
            // So that a failed exec is not taken for the program's own end.
            if of_program { 255 } else { 1 }
        }
    }
}

fn run(global: &args::Global, command: Command) -> Result<i32> {
    slipway_sys::process::assert_single_threaded().during("start with one thread")?;
    match command {
        Command::Create(create) => command::create::run(global, &create)?,
        Command::Start(id) => command::start::run(global, &id)?,
        Command::State(id) => print(&(command::look::state(global, &id)? + "\n"))?,
        Command::Kill { id, signal, all } => command::kill::run(global, &id, &signal, all)?,
        Command::Delete { id, force } => command::delete::run(global, &id, force)?,
        Command::Exec(exec) => return command::exec::run(global, &exec),
        Command::List(format) => print(&command::look::list(global, format)?)?,
        Command::Features => print(&format!("{:#}\n", command::features::describe()))?,
        Command::Help => print(&format!("{}\n", args::USAGE))?,
        Command::Version => print(&format!("slipway-agent oci {}\nspec: {}\n", env!("CARGO_PKG_VERSION"), state::OCI_VERSION))?,
    }
    Ok(0)
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).during("write to standard output")
}
