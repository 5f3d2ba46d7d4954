//! `/sounds/{clip_id}`: everything that is known of a sound in a region.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use maud::{Markup, html};
use serde::Deserialize;

use super::Site;
use super::failed::Failed;
use super::layout::{self, instant, wide};
use crate::charts::world_shapes;
use crate::history::summary;
use crate::report::sound::{Details, by, region};
use crate::report::{Listed, overview, reason_words};
use crate::store::charts::Rank;
use crate::store::report::Series;
use crate::store::why::{SlotHistory, SoundTarget};
use crate::store::{Store, StoreError};
use crate::trend::IndexDay;

/// The newest slots of each target that are shown.
const SLOTS: i64 = 30;

/// The newest ranks that are shown.
const RANKS: i64 = 60;

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    region: String,
}

pub(super) async fn page(
    State(site): State<Arc<Site>>,
    clip: Result<Path<String>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Markup, Failed> {
    let (Path(clip), Query(asked)) = (clip?, asked?);
    let all = site.store.series_of(&clip).await?;
    let chosen = all.iter().find(|series| series.key.region == asked.region);
    let Some(series) = chosen.or(all.first()) else {
        return Err(Failed::not_found(
            "This sound is not known here, and never was watched.",
        ));
    };
    let now = site.clock.now();
    let key = std::slice::from_ref(&series.key);
    let index = site
        .store
        .index_of(key, 0)
        .await?
        .remove(&series.key)
        .unwrap_or_default();
    let listed = Listed {
        series: series.clone(),
        summary: summary(&index),
    };
    let details = details(&site.store, &listed, index).await?;
    let targets: Vec<SoundTarget> = site.store.targets_of(&clip).await?;
    let targets = targets
        .into_iter()
        .filter(|target| target.region == series.key.region);
    let slots = slots(&site, targets.collect(), now).await?;
    let ranks = site.store.ranks_of(&clip, RANKS).await?;
    let title = series.title.as_deref().unwrap_or(&clip);
    let content = html! {
        header {
            h1 { (overview::name(series)) }
            p.by { (by(series)) }
            (regions(&all, series))
        }
        (world_shapes())
        div.live data-index=(index_address(series)) { (region(&details)) }
        (rank_table(&ranks))
        (slots)
    };
    Ok(layout::page(title, "/", Some(now), content))
}

/// Where the script finds the values of the index.
fn index_address(series: &Series) -> String {
    format!(
        "/api/v1/sounds/{}/index?region={}",
        series.key.clip_id, series.key.region
    )
}

/// The way to the page of a series.
pub(super) fn address(series: &Series) -> String {
    format!("/sounds/{}?region={}", series.key.clip_id, series.key.region)
}

async fn details<'a>(
    store: &Store,
    listed: &'a Listed,
    index: Vec<IndexDay>,
) -> Result<Details<'a>, StoreError> {
    let key = &listed.series.key;
    let keys = std::slice::from_ref(key);
    Ok(Details {
        listed,
        index,
        windows: store.windows_of(keys).await?.remove(key).unwrap_or_default(),
        audiences: store.audiences_of(keys).await?.remove(key).unwrap_or_default(),
        ages: store.ages_of(keys).await?.remove(key).unwrap_or_default(),
        gaps: store
            .missing_of(&key.clip_id)
            .await?
            .remove(key)
            .unwrap_or_default(),
    })
}

fn regions(all: &[Series], shown: &Series) -> Markup {
    html! {
        h2.hidden { "In a region" }
        @if all.len() > 1 {
            nav.choices aria-label="Regions" {
                @for series in all {
                    @if series == shown { a href=(address(series)) aria-current="page" { (series.key.region) } }
                    @else { a href=(address(series)) { (series.key.region) } }
                }
            }
        }
    }
}

fn rank_table(ranks: &[Rank]) -> Markup {
    html! {
        @if !ranks.is_empty() {
            section {
                h3 { "On charts" }
                (wide("Ranks on charts", html! { table {
                    thead { tr {
                        th scope="col" { "Read" } th scope="col" { "Chart" } th.number scope="col" { "Rank" }
                    } }
                    tbody { @for rank in ranks { tr {
                        td { (instant(rank.seen_at)) }
                        td {
                            (rank.region) ", " (rank.period_days) " days"
                            @if rank.new_to_top_100 { ", new to the first hundred" }
                            @if rank.commercial { ", commercial" }
                        }
                        td.number { (rank.rank.unwrap_or(rank.position)) }
                    } } }
                } }))
            }
        }
    }
}

async fn slots(site: &Site, targets: Vec<SoundTarget>, now: i64) -> Result<Markup, StoreError> {
    let ids: Vec<i64> = targets.iter().map(|target| target.id).collect();
    let found = site.store.slots_of(&ids, SLOTS, now).await?;
    Ok(html! {
        section #slots {
            h3 { "Slots" }
            @for target in &targets {
                h4 {
                    "Period " (target.period) ", at " code { (target.schedule) } " " (target.time_zone)
                    @if let Some(at) = target.removed_at { ", until " (instant(at)) }
                }
                @match found.get(&target.id) {
                    Some(found) => {
                        (wide(&format!("Slots of period {}", target.period), html! { table.slots {
                            thead { tr {
                                th scope="col" { "Slot" } th scope="col" { "Outcome" } th scope="col" { "Why" }
                                th.number scope="col" { "Requests" } th.number scope="col" { "Credits" }
                            } }
                            tbody { @for slot in found.slots.iter().rev() { (slot_row(slot)) } }
                        } }))
                        p.soft { (found.slots.len()) " of " (found.of_all) " slots." }
                    }
                    None => p.none { "No slot yet." }
                }
            }
        }
    })
}

fn slot_row(slot: &SlotHistory) -> Markup {
    let outcome = slot.outcome.as_deref().unwrap_or("open");
    let class = match outcome {
        "stored" | "confirmed" => "up",
        "failed" | "rejected" | "no_data" => "down",
        _ => "soft",
    };
    let error = slot.attempts.last().and_then(|attempt| attempt.error.as_deref());
    let credits: i64 = slot.attempts.iter().map(|attempt| attempt.credits).sum();
    html! {
        tr {
            td { (instant(slot.slot_at)) @if slot.slots > 1 { " and " (slot.slots - 1) " before" } }
            td class=(class) { (outcome.replace('_', " ")) @if slot.forced { " (asked for)" } }
            td {
                @if let Some(reason) = &slot.reason { (reason_words(reason)) }
                @if let Some(error) = error { " " span.soft { (error) } }
            }
            td.number { (slot.attempts.len()) }
            td.number { (credits) }
        }
    }
}
