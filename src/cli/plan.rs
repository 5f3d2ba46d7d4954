//! `soundwatch plan`: what the coming days ask and cost, before they do. It spends nothing and needs
//! no key.

use serde::Serialize;

use super::chart;
use super::exit::{Exit, Failure};
use super::forecast::{all_new, lines, paused, standing};
use super::output::{Output, Told, note, problem_of, table};
use crate::config::Config;
use crate::forecast::{Forecast, Month, Standing};
use crate::model::TargetSpec;
use crate::problem::Problem;
use crate::store::{Missing, Store, StoreError};
use crate::watchlist;

/// Columns of the longest bar.
const BAR: usize = 24;

/// The document of `--json`.
#[derive(Serialize)]
struct Plan {
    over_budget: Vec<Told>,
    warnings: Vec<Told>,
    #[serde(flatten)]
    forecast: Forecast,
}

pub(super) async fn run(config: &Config, days: i64, output: Output) -> Result<Exit, Failure> {
    let now = super::clock().now();
    let (targets, standing, warnings) = gather(config, now).await?;
    let forecast = Forecast::new(&targets, config.budget, standing, now, days);
    let over = forecast.over_budget();
    if !output.is_json() {
        tell(&warnings);
    }
    let plan = Plan {
        over_budget: over.iter().map(Told::new).collect(),
        warnings: warnings.iter().map(Told::new).collect(),
        forecast,
    };
    output.result(&plan, |plan| text(&plan.forecast))?;
    if over.is_empty() {
        return Ok(Exit::Done);
    }
    if !output.is_json() {
        over.iter().for_each(|problem| note(&problem.to_string()));
    }
    Ok(Exit::Stopped)
}

fn tell(warnings: &[Problem]) {
    for warning in warnings {
        note(&format!("warning: {warning}"));
    }
}

/// The targets, how things stand, and what is doubtful about either. The database is not needed
/// where there is a watchlist: the plan then says what it does not know.
async fn gather(config: &Config, now: i64) -> Result<(Vec<TargetSpec>, Standing, Vec<Problem>), Failure> {
    let Some(path) = &config.watchlist.path else {
        return Ok(known(config, None, now).await?);
    };
    let examined = watchlist::examine(path);
    let mut warnings = examined.watchlist.warnings.clone();
    let watchlist = examined.usable().inspect_err(|_| tell(&warnings))?;
    let standing = match known(config, Some(&watchlist.targets), now).await {
        Ok((_, standing, paused)) => {
            warnings.extend(paused);
            standing
        }
        Err(error) if error.is_empty_place() => all_new(&watchlist.targets),
        Err(error) => {
            let unknown = "what has been spent and what is due now is not in this plan";
            warnings.push(problem_of(&format!("{unknown}: {error}")));
            Standing::default()
        }
    };
    Ok((watchlist.targets, standing, warnings))
}

/// The wanted targets and how things stand in the database, and which keys are paused; without a
/// watchlist the stored targets.
async fn known(
    config: &Config,
    wanted: Option<&[TargetSpec]>,
    now: i64,
) -> Result<(Vec<TargetSpec>, Standing, Vec<Problem>), StoreError> {
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    let known = async {
        store.require_migrated().await?;
        let stored = store.targets().await?;
        let live = stored.iter().filter(|target| !target.removed);
        let live: Vec<TargetSpec> = live.map(|target| target.spec.clone()).collect();
        let standing = standing(&store, &stored, wanted.unwrap_or(&live), config, now).await?;
        Ok((live, standing, paused(&store, config, now).await?))
    };
    let known = known.await;
    store.close().await;
    known
}

fn text(forecast: &Forecast) -> String {
    let mut parts = vec![lines(forecast).join("\n"), days(forecast)];
    let months: Vec<String> = forecast.months.iter().map(month).collect();
    parts.push(months.join("\n"));
    parts.push("One request is counted for each slot; each retry costs as much again.".to_owned());
    parts.join("\n\n")
}

fn days(forecast: &Forecast) -> String {
    let most = forecast
        .days
        .iter()
        .map(|day| day.credits)
        .max()
        .unwrap_or_default();
    let mut table = table(
        &["day", "slots", "requests", "credits", "paid", "over", ""],
        &[1, 2, 3, 4, 5],
    );
    for (number, day) in forecast.days.iter().enumerate() {
        let rest = if number == 0 { " from now" } else { "" };
        let numbers = [
            day.slots,
            day.requests,
            day.credits,
            day.paid_credits,
            day.over_credits,
        ];
        let mut row = vec![format!("{}{rest}", day.day)];
        row.extend(numbers.map(|number| number.to_string()));
        row.push(chart::bar(day.paid_credits, day.over_credits, most, BAR));
        table.add_row(row);
    }
    let sum = |of: fn(&crate::forecast::Day) -> i64| forecast.days.iter().map(of).sum::<i64>().to_string();
    table.add_row([
        "all".to_owned(),
        sum(|day| day.slots),
        sum(|day| day.requests),
        sum(|day| day.credits),
        sum(|day| day.paid_credits),
        sum(|day| day.over_credits),
        String::new(),
    ]);
    table.to_string()
}

fn month(month: &Month) -> String {
    let over = match month.over_credits {
        0 => String::new(),
        over => format!(", {over} too many"),
    };
    format!(
        "{}, the whole month: {} credits spent and {} to come, of {}{over}",
        month.month, month.spent_credits, month.credits, month.monthly_credits
    )
}
