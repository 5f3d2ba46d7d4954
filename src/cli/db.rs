//! `soundwatch db`: looking after the database.

mod reindex;
mod reparse;

use serde::Serialize;

use super::args::DbAction;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::config::Config;
use crate::store::{Missing, Store, migrate};

/// What `db migrate` did.
#[derive(Serialize)]
struct Migrated {
    database: &'static str,
    before: i64,
    now: i64,
}

pub(super) async fn run(config: &Config, action: DbAction, output: Output) -> Result<Exit, Failure> {
    match action {
        DbAction::Migrate => migrate(config, output).await,
        DbAction::Check => check(config, output).await,
        DbAction::Reindex => reindex::run(config, output).await,
        DbAction::Reparse => reparse::run(config, output).await,
    }
}

async fn migrate(config: &Config, output: Output) -> Result<Exit, Failure> {
    let store = Store::open(config.database.url.expose(), Missing::Create).await?;
    let before = store.migration().await?;
    store.migrate().await?;
    let migrated = Migrated {
        database: store.kind(),
        before,
        now: migrate::NEWEST,
    };
    store.close().await;
    output.result(&migrated, |m| {
        if m.before == m.now {
            format!("The {} database is up to date (migration {}).", m.database, m.now)
        } else {
            format!(
                "The {} database went from migration {} to {}.",
                m.database, m.before, m.now
            )
        }
    })?;
    Ok(Exit::Done)
}

async fn check(config: &Config, output: Output) -> Result<Exit, Failure> {
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    store.require_migrated().await?;
    let findings = store.check().await?;
    store.close().await;
    output.result(&findings, |findings| {
        let mut lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        lines.push(if findings.is_empty() {
            "The database holds together.".to_owned()
        } else {
            format!("{} findings", findings.len())
        });
        lines.join("\n")
    })?;
    Ok(if findings.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}
