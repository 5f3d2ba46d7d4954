//! The command line: results on stdout, everything else on stderr, one file for each command.

mod args;
mod collect;
mod db;
mod exit;
mod logs;
mod output;
mod progress;
mod run;
mod simulate;
mod status;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::clock::Clock;
use crate::config::{self, Config};
use args::{Args, Command};
use exit::{Exit, Failure};
use output::Output;

/// Reads the arguments, starts the logs and runs the command.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let output = Output::new(args.json);
    logs::start(&args.command);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.failure(&Failure::Other(format!("cannot start: {error}"))),
    };
    match runtime.block_on(dispatch(&args, &output)) {
        Ok(exit) => exit.code(),
        Err(failure) => output.failure(&failure),
    }
}

async fn dispatch(args: &Args, output: &Output) -> Result<Exit, Failure> {
    match &args.command {
        Command::Run => run::run(&load(args)?, || load(args)).await,
        Command::Collect { all, clips } => collect::run(&load(args)?, *all, clips, *output).await,
        Command::Status => status::run(&load(args)?, *output).await,
        Command::Db { action } => db::run(&load(args)?, *action, *output).await,
        Command::Simulate(options) => simulate::run(options, *output).await,
        Command::Completions { shell } => completions(*shell),
        Command::Man => man(),
    }
}

fn load(args: &Args) -> Result<Config, crate::problem::Problems> {
    config::load(args.config.as_deref())
}

/// The clock of all commands but `demo`, which lives through its days in seconds.
fn clock() -> Clock {
    Clock::System
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "soundwatch", &mut script);
    output::bytes(&script)
}

/// One page for the whole command: the main page, then one section for each subcommand.
fn man() -> Result<Exit, Failure> {
    let mut page = Vec::new();
    let command = Args::command();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(Failure::output)?;
    output::bytes(&page)
}
