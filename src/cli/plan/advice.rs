//! `soundwatch plan --advise`: which period and schedule would give which index for how many credits.

use serde::Serialize;

use crate::cli::output::table;
use crate::config::Budget;
use crate::forecast::advise::{Advice, Offer, advise, offers};
use crate::model::TargetSpec;

/// All that is said of it.
#[derive(Serialize)]
pub(super) struct Advices {
    /// Whether 120 days come back with a point a week; unknown before the first answer.
    weekly_120: Option<bool>,
    /// Each way of collecting a target, with its price.
    offers: Vec<Offer>,
    /// For the targets of each period and schedule.
    targets: Vec<Advice>,
}

impl Advices {
    pub(super) fn new(targets: &[TargetSpec], budget: Budget, weekly_120: Option<bool>, now: i64) -> Self {
        let weekly = weekly_120.unwrap_or(false);
        Self {
            weekly_120,
            offers: offers(budget, weekly),
            targets: advise(targets, budget, weekly, now),
        }
    }

    pub(super) fn text(&self) -> String {
        let weekly = match self.weekly_120 {
            Some(true) => "Answers of 120 days have a point a week: they have no part in the index.",
            Some(false) => "Answers of 120 days have a point a day.",
            None => "Whether answers of 120 days have a point a day is not known yet; here they have.",
        };
        format!(
            "What the index of one target would be like, by period and schedule:\n{}\n{weekly}\n\n\
             What that means for the targets:\n{}\n\
             Errors and bounds are those of simulated sounds whose truth is known (docs/index.md).",
            self.offers(),
            self.targets()
        )
    }

    fn offers(&self) -> String {
        let headings = [
            "period",
            "schedule",
            "credits in 30 days",
            "median error",
            "95 % error",
            "bounds",
        ];
        let mut table = table(&headings, &[2, 3, 4, 5]);
        for offer in &self.offers {
            table.add_row([
                offer.period.clone(),
                offer.schedule.to_owned(),
                format!("{:.0}", offer.credits_in_30_days),
                format!("{:.2} %", offer.median_error),
                format!("{:.2} %", offer.most_error),
                format!("± {:.2} %", offer.half_width),
            ]);
        }
        table.to_string()
    }

    fn targets(&self) -> String {
        let lines = self.targets.iter().flat_map(|advice| {
            let now = match &advice.now {
                Some(offer) => accuracy(offer),
                None => "an index in pieces, or none".to_owned(),
            };
            let present = format!(
                "{} × {} at \"{}\" {}, {:.0} credits each in 30 days: {now}",
                advice.targets, advice.period, advice.schedule, advice.time_zone, advice.credits_in_30_days
            );
            let better = advice
                .better
                .as_ref()
                .map(|offer| format!("    better: {}", way(offer)));
            let cheaper = advice
                .cheaper
                .as_ref()
                .map(|offer| format!("    cheaper{}: {}", less(advice.now.as_ref(), offer), way(offer)));
            std::iter::once(present).chain(better).chain(cheaper)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Credits are not all that an offer may take away.
fn less(now: Option<&Offer>, offer: &Offer) -> &'static str {
    let wider = now.is_some_and(|now| offer.half_width > now.half_width || offer.most_error > now.most_error);
    if wider { ", but less exact" } else { "" }
}

fn accuracy(offer: &Offer) -> String {
    format!(
        "95 % error {:.2} %, bounds ± {:.2} %",
        offer.most_error, offer.half_width
    )
}

fn way(offer: &Offer) -> String {
    format!(
        "{} at \"{}\", {:.0} credits: {}",
        offer.period,
        offer.schedule,
        offer.credits_in_30_days,
        accuracy(offer)
    )
}
