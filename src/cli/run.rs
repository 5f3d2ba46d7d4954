//! `soundwatch run`.

use super::exit::{Exit, Failure};
use crate::config::Config;
use crate::problem::Problems;

pub(super) async fn run(
    config: &Config,
    load: impl Fn() -> Result<Config, Problems>,
) -> Result<Exit, Failure> {
    crate::service::run(config.clone(), super::clock(), load).await?;
    Ok(Exit::Done)
}
