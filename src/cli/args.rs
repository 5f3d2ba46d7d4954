//! What can be said on the command line. The doc comments are the help texts.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Keeps the history that TikTok's sound-trend API forgets, in SQLite or Postgres.
#[derive(Debug, Parser)]
#[command(
    name = "soundwatch",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Exit status: 0 done, 1 failed, 2 usage, configuration or watchlist is wrong, 3 done in part, \
                  4 stopped by budget, credits or key."
)]
pub(super) struct Args {
    /// The configuration [default: $SOUNDWATCH_CONFIG, ./config.toml or /etc/soundwatch/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Print one JSON document for machines
    #[arg(long, global = true)]
    pub(super) json: bool,

    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// See it work: the real collector on a simulated API, with no key, no network and no cost
    ///
    /// Lives through some weeks in seconds and ends with what was collected, a chart and a query to
    /// try. The database and a configuration to go on with stay in DIR.
    Demo(super::demo::Options),
    /// Run the daemon: follow the watchlist, collect whatever is due, until stopped
    Run,
    /// Make one pass over what is due, with progress, then end
    ///
    /// Exit status: 0 all stored or confirmed, or nothing was due; 1 all failed, or the database is
    /// away; 3 some failed or had no data; 4 stopped by budget, credits or key.
    Collect {
        /// Ask for every target now, also those that are not due; what is due stays due
        #[arg(long, conflicts_with = "clips")]
        all: bool,
        /// Ask for these sounds now: clip IDs or tiktok.com/music links
        #[arg(value_name = "CLIP_ID")]
        clips: Vec<String>,
    },
    /// Tell everything that is wrong with configuration, watchlist, key, database, clock, disk and unit
    ///
    /// The one command to run after any edit: every problem at once, with its mend. Sends no request
    /// and changes nothing, unless told --spend. Exit status: 0 all is well; 2 something is wrong; 1
    /// only the database is away.
    Check {
        /// Send one real request too, which costs credits, and tell what came of it
        ///
        /// Only when nothing else is wrong. It is for one target that is due, or else for the first
        /// one, and stands in the ledger as asked for by hand: what is due stays due. The tables and
        /// the targets are brought up to date first, as by `collect`. Exit status: 3 there was no
        /// data; 4 stopped by budget, credits or key; 1 it failed.
        #[arg(long)]
        spend: bool,
    },
    /// Forecast slots, requests and credits of the coming days, and hold them against the budget
    ///
    /// Spends nothing and needs no key; what the database says has been spent counts. Exit status: 0
    /// the budget pays for all of it; 4 a day or a month is over budget; 2 configuration or watchlist
    /// is wrong.
    Plan {
        /// How many days, today included
        #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=366))]
        days: i64,
        /// Tell which period and schedule would give which accuracy of the index for how many credits
        #[arg(long)]
        advise: bool,
    },
    /// Show how things stand: freshness, last outcomes, budget, who collects, what is paused
    ///
    /// Needs the database only, not the API key.
    Status,
    /// Tell slot by slot what happened to a sound, what comes next, and which days are missing
    ///
    /// Needs the database only, not the API key.
    Why(super::why::Options),
    /// Write a view of the SQL contract to CSV, JSON Lines or Parquet
    ///
    /// docs/export.md has the columns of each view, what the filters mean, and how to open the files.
    /// Needs the database only, not the API key. Exit status: 0 done; 2 the view can't be filtered
    /// like this; 1 the database or the file failed; 3 stopped. A file is there whole or not at all.
    Export(super::export::Options),
    /// Edit the watchlist file, with its comments and its order kept
    Watch {
        #[command(subcommand)]
        action: super::watch::Action,
    },
    /// Show the index of a sound as a chart and a table, who listens, and what changed
    ///
    /// Needs the database only, not the API key. Days of one segment compare, two segments never do.
    History(super::history::Options),
    /// Write one self-contained page with all sounds: index, windows, audience, gaps
    ///
    /// The page loads nothing from anywhere and can be mailed or printed. Needs the database only.
    Report {
        /// Where to put it; a file that is there is replaced once the new one is whole; -: stdout
        #[arg(short, long, value_name = "FILE", default_value = "report.html")]
        output: PathBuf,
    },
    /// Look after the database
    Db {
        #[command(subcommand)]
        action: DbAction,
    },
    /// Pretend to be the API, to rehearse a configuration for no credits
    Simulate(super::simulate::Options),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum DbAction {
    /// Make the tables, or bring them up to this version
    Migrate,
    /// Check that the database holds together; changes nothing
    Check,
    /// Compute the index of every sound again from its stored windows, for no credits
    ///
    /// It is always up to date by itself: this is for rows that were damaged, and to see how well the
    /// windows fit together. Sends no request. Nobody may collect meanwhile. It can be interrupted; whoever
    /// collects next goes on with it. Exit status: 0 done; 3 it was stopped.
    Reindex,
    /// Read all kept answers again and make what is derived from them anew, for no credits
    ///
    /// After an upgrade, or when rows were damaged. Sends no request. Answers that could not be read
    /// before are tried again; of answers that can't be read any more the rows stay. Nobody may
    /// collect meanwhile. It can be interrupted and run again. Exit status: 0 done; 3 some answers
    /// can't be read any more, or it was stopped.
    Reparse,
}
