//! `soundwatch plan`: what the coming days ask and cost, before they do. It spends nothing and needs
//! no key.

use std::io::IsTerminal;

use serde::Serialize;

mod advice;

use super::chart;
use super::exit::{Exit, Failure};
use super::forecast::{all_new, lines, paused, standing};
use super::output::{Output, Told, fitting, note, problem_of, terminal_width};
use crate::config::Config;
use crate::forecast::{Forecast, Month, Standing};
use crate::model::{Period, TargetSpec, Window};
use crate::period::{Choice, choose};
use crate::problem::Problem;
use crate::store::{Missing, Store, StoreError};
use crate::watchlist;

/// Columns of the longest bar.
const BAR: usize = 24;

/// Columns of the table with such a bar.
const WIDE: usize = 92;

/// The document of `--json`.
#[derive(Serialize)]
struct Plan {
    over_budget: Vec<Told>,
    warnings: Vec<Told>,
    #[serde(flatten)]
    forecast: Forecast,
    /// What targets that choose their window would ask for now.
    auto: Vec<Chosen>,
    /// Which way of collecting would give which index, if that was asked.
    advice: Option<advice::Advices>,
}

/// A window that targets choose.
#[derive(Serialize)]
struct Chosen {
    period_days: i64,
    reason: String,
    targets: i64,
}

/// What is planned with.
struct Gathered {
    targets: Vec<TargetSpec>,
    standing: Standing,
    learnt: Learnt,
    warnings: Vec<Problem>,
}

/// What answers have taught so far.
#[derive(Default)]
struct Learnt {
    auto: Vec<(Choice, i64)>,
    weekly_120: Option<bool>,
}

pub(super) async fn run(config: &Config, days: i64, advise: bool, output: Output) -> Result<Exit, Failure> {
    let now = super::clock().now();
    let Gathered {
        targets,
        standing,
        learnt,
        warnings,
    } = gather(config, now).await?;
    let forecast = Forecast::new(&targets, config.discovers(), config.budget, standing, now, days);
    let over = forecast.over_budget();
    if !output.is_json() {
        tell(&warnings);
    }
    let plan = Plan {
        over_budget: over.iter().map(Told::new).collect(),
        warnings: warnings.iter().map(Told::new).collect(),
        forecast,
        auto: chosen(&targets, &learnt.auto),
        advice: advise.then(|| advice::Advices::new(&targets, config.budget, learnt.weekly_120, now)),
    };
    output.result(&plan, text)?;
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
async fn gather(config: &Config, now: i64) -> Result<Gathered, Failure> {
    let Some(path) = &config.watchlist.path else {
        return Ok(known(config, None, now).await?);
    };
    let examined = watchlist::examine(path);
    let doubts = examined.watchlist.warnings.clone();
    let watchlist = examined.usable().inspect_err(|_| tell(&doubts))?;
    let mut gathered = match known(config, Some(&watchlist.targets), now).await {
        Ok(gathered) => gathered,
        Err(error) => Gathered {
            standing: if error.is_empty_place() {
                all_new(&watchlist.targets)
            } else {
                Standing::default()
            },
            targets: Vec::new(),
            learnt: Learnt::default(),
            warnings: away(&error).into_iter().collect(),
        },
    };
    gathered.warnings.splice(0..0, doubts);
    gathered.targets = watchlist.targets;
    Ok(gathered)
}

fn away(error: &StoreError) -> Option<Problem> {
    let unknown = "what has been spent and what is due now is not in this plan";
    (!error.is_empty_place()).then(|| problem_of(&format!("{unknown}: {error}")))
}

/// How things stand in the database, for the wanted targets, and which keys are paused; without a watchlist
/// for the stored ones.
async fn known(config: &Config, wanted: Option<&[TargetSpec]>, now: i64) -> Result<Gathered, StoreError> {
    let store = Store::open(config.database.url.expose(), Missing::Refuse).await?;
    let known = async {
        store.require_migrated().await?;
        let stored = store.targets().await?;
        let live = stored.iter().filter(|target| !target.removed);
        let live: Vec<TargetSpec> = live.map(|target| target.spec.clone()).collect();
        Ok(Gathered {
            standing: standing(&store, &stored, wanted.unwrap_or(&live), config, now).await?,
            targets: live,
            learnt: Learnt {
                auto: store.auto_choices(now).await?,
                weekly_120: store.weekly(Window::Days120).await?,
            },
            warnings: paused(&store, config, now).await?,
        })
    };
    let known = known.await;
    store.close().await;
    known
}

/// What targets that choose their window would ask for; those that are not stored yet begin.
fn chosen(targets: &[TargetSpec], stored: &[(Choice, i64)]) -> Vec<Chosen> {
    let all = targets
        .iter()
        .filter(|target| target.period == Period::Auto)
        .count();
    let known: i64 = stored.iter().map(|(_, targets)| targets).sum();
    let new = i64::try_from(all).unwrap_or(i64::MAX) - known;
    let first = choose(0, 0, &[]);
    let mut counts = stored.to_vec();
    if new > 0 {
        match counts.iter_mut().find(|(choice, _)| *choice == first) {
            Some((_, targets)) => *targets += new,
            None => counts.push((first, new)),
        }
    }
    let told = counts.into_iter().map(|(choice, targets)| Chosen {
        period_days: choice.window.days(),
        reason: choice.to_string(),
        targets,
    });
    told.collect()
}

fn text(plan: &Plan) -> String {
    let forecast = &plan.forecast;
    let mut beginning = lines(forecast);
    if !plan.auto.is_empty() {
        let told = plan.auto.iter().map(|chosen| {
            format!(
                "{} × {} days ({})",
                chosen.targets, chosen.period_days, chosen.reason
            )
        });
        let told: Vec<String> = told.collect();
        beginning.push(format!(
            "targets that choose their period would ask for {}",
            told.join("; ")
        ));
    }
    let mut parts = vec![beginning.join("\n"), days(forecast)];
    let months: Vec<String> = forecast.months.iter().map(month).collect();
    parts.push(months.join("\n"));
    parts.push("One request is counted for each slot; each retry costs as much again.".to_owned());
    parts.extend(plan.advice.as_ref().map(advice::Advices::text));
    parts.join("\n\n")
}

fn days(forecast: &Forecast) -> String {
    let most = forecast
        .days
        .iter()
        .map(|day| day.credits)
        .max()
        .unwrap_or_default();
    // Half as long where the terminal has the usual 80 columns.
    let bar = if terminal_width() < WIDE && std::io::stdout().is_terminal() {
        BAR / 2
    } else {
        BAR
    };
    let mut rows = Vec::new();
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
        row.push(chart::bar(day.paid_credits, day.over_credits, most, bar));
        rows.push(row);
    }
    let sum = |of: fn(&crate::forecast::Day) -> i64| forecast.days.iter().map(of).sum::<i64>().to_string();
    rows.push(vec![
        "all".to_owned(),
        sum(|day| day.slots),
        sum(|day| day.requests),
        sum(|day| day.credits),
        sum(|day| day.paid_credits),
        sum(|day| day.over_credits),
        String::new(),
    ]);
    let headings = ["day", "slots", "requests", "credits", "paid", "over", ""];
    fitting(&headings, &[1, 2, 3, 4, 5], &rows, &[], &[6, 2])
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
