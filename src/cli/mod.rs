//! The command line: results on stdout, everything else on stderr, one file for each command.

mod args;
mod beside;
mod chart;
mod check;
mod collect;
mod db;
mod demo;
mod exit;
mod export;
mod forecast;
mod history;
mod journal;
mod logs;
mod output;
mod plan;
mod progress;
mod report;
mod run;
mod simulate;
mod status;
mod watch;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::clock::Clock;
use crate::config::{self, Config};
use args::{Args, Command};
use exit::{Exit, Failure};
use output::Output;

/// Threads for what blocks: reading answers, and looking up names.
const BLOCKING_THREADS: usize = 4;

/// Reads the arguments, starts the logs and runs the command.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let output = Output::new(args.json);
    logs::start(&args.command);
    // Requests and statements take one thread little; SQLite has its own, and so has reading answers.
    let mut threads = tokio::runtime::Builder::new_current_thread();
    let runtime = match threads
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
    {
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
        Command::Demo(options) => demo::run(options, *output).await,
        Command::Run => run::run(&load(args)?, || load(args)).await,
        Command::Collect { all, clips } => collect::run(&load(args)?, *all, clips, *output).await,
        Command::Check { spend } => check::run(args.config.as_deref(), *spend, *output).await,
        Command::Plan { days, advise } => plan::run(&load(args)?, *days, *advise, *output).await,
        Command::Status => status::run(&load(args)?, *output).await,
        Command::Why(options) => why::run(&load(args)?, options, *output).await,
        Command::Export(options) => export::run(&load(args)?, options, *output).await,
        Command::Watch { action } => watch::run(&load(args)?, action, *output).await,
        Command::History(options) => history::run(&load(args)?, options, *output).await,
        Command::Report { output: file } => report::run(&load(args)?, file, *output).await,
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

/// One page for the whole command: what holds for all of it, then a section for each subcommand.
fn man() -> Result<Exit, Failure> {
    let mut page = Vec::new();
    let command = Args::command();
    man_beginning(&mut page, &command).map_err(Failure::output)?;
    for subcommand in command.get_subcommands() {
        man_section(&mut page, subcommand, "soundwatch").map_err(Failure::output)?;
    }
    output::bytes(&page)
}

fn man_beginning(page: &mut Vec<u8>, command: &clap::Command) -> std::io::Result<()> {
    let man = clap_mangen::Man::new(command.clone());
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_options_section(page)?;
    let mut exit_status = Vec::new();
    man.render_extra_section(&mut exit_status)?;
    let exit_status = String::from_utf8_lossy(&exit_status).replace("EXTRA", "\"EXIT STATUS\"");
    page.extend_from_slice(exit_status.as_bytes());
    man.render_version_section(page)
}

fn man_section(page: &mut Vec<u8>, command: &clap::Command, parent: &str) -> std::io::Result<()> {
    let name = format!("{parent} {}", command.get_name());
    let man = clap_mangen::Man::new(command.clone().bin_name(name.clone()));
    let mut section = Vec::new();
    man.render_synopsis_section(&mut section)?;
    man.render_description_section(&mut section)?;
    if command.get_arguments().next().is_some() {
        man.render_options_section(&mut section)?;
    }
    // What is a section on a page of its own is a part of one here.
    let section = String::from_utf8_lossy(&section).replace(".SH ", ".SS ");
    page.extend_from_slice(format!(".SH \"{}\"\n{section}", name.to_uppercase()).as_bytes());
    for subcommand in command.get_subcommands() {
        man_section(page, subcommand, &name)?;
    }
    Ok(())
}
