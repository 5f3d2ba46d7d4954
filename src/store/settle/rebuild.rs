//! Snapshots that are there, written anew from their answers.

use super::reparse::Rebuilt;
use super::rows::{Children, extra, step_seconds, with_facts};
use crate::store::trend_index::{Mark, mark};
use crate::store::{Many, StoreError, Tx};

/// Snapshots and their rows, new from their answers. A snapshot that is there keeps its history.
pub(super) async fn rebuild(tx: &mut Tx, rebuilt: &[Rebuilt]) -> Result<(), StoreError> {
    let rows: Vec<(&Rebuilt, Option<String>)> = rebuilt.iter().map(|s| (s, extra(&s.content))).collect();
    let columns = Many::of(&rows)
        .int("id", |(s, _)| s.history.id)
        .int("target_id", |(s, _)| s.target_id)
        .int("period_days", |(s, _)| s.ask.window.days())
        .blob("content_hash", |(s, _)| &s.hash[..])
        .blob("payload_hash", |(s, _)| &s.payload_hash[..])
        .int("first_fetched_at", |(s, _)| s.history.first_fetched_at)
        .int("last_fetched_at", |(s, _)| s.history.last_fetched_at)
        .int("confirmations", |(s, _)| s.history.confirmations)
        .int("step_seconds", |(s, _)| step_seconds(&s.content))
        .json("extra", |(_, extra)| extra.as_deref());
    with_facts(columns, |(s, _)| &s.content.facts)
        .execute(
            tx,
            "WITH r AS ({rows})
            INSERT INTO snapshots (
                id, target_id, period_days, content_hash, payload_hash, first_fetched_at, last_fetched_at,
                confirmations, step_seconds, country_code, rank, rank_diff, on_list_times, promoted, is_commercial,
                is_search, cml_mid, like_count, liked, disliked, popular_days, current_popularity, extra
            )
            SELECT
                id, target_id, period_days, content_hash, payload_hash, first_fetched_at, last_fetched_at,
                confirmations, step_seconds, country_code, rank, rank_diff, on_list_times, promoted, is_commercial,
                is_search, cml_mid, like_count, liked, disliked, popular_days, current_popularity, extra
            FROM r
            WHERE true
            ON CONFLICT (id) DO UPDATE SET
                target_id = excluded.target_id,
                period_days = excluded.period_days,
                content_hash = excluded.content_hash,
                payload_hash = excluded.payload_hash,
                step_seconds = excluded.step_seconds,
                country_code = excluded.country_code,
                rank = excluded.rank,
                rank_diff = excluded.rank_diff,
                on_list_times = excluded.on_list_times,
                promoted = excluded.promoted,
                is_commercial = excluded.is_commercial,
                is_search = excluded.is_search,
                cml_mid = excluded.cml_mid,
                like_count = excluded.like_count,
                liked = excluded.liked,
                disliked = excluded.disliked,
                popular_days = excluded.popular_days,
                current_popularity = excluded.current_popularity,
                extra = excluded.extra",
        )
        .await?;
    clear_rows(tx, rebuilt).await?;
    let mut children = Children::default();
    for snapshot in rebuilt {
        children.add(snapshot.history.id, &snapshot.content);
    }
    children.write(tx).await?;
    let marks = rebuilt.iter().map(|s| {
        let (clip, region) = (s.ask.clip_id.as_str(), s.ask.region.as_str());
        (clip, region, s.history.last_fetched_at)
    });
    mark(tx, &marks.collect::<Vec<Mark<'_>>>()).await
}

async fn clear_rows(tx: &mut Tx, rebuilt: &[Rebuilt]) -> Result<(), StoreError> {
    macro_rules! clear {
        ($table:literal) => {
            concat!(
                "WITH r AS ({rows}) DELETE FROM ",
                $table,
                " WHERE snapshot_id IN (SELECT id FROM r)"
            )
        };
    }
    let ids = Many::of(rebuilt).int("id", |s| s.history.id);
    ids.execute(tx, clear!("trend_points")).await?;
    ids.execute(tx, clear!("country_scores")).await?;
    ids.execute(tx, clear!("interest_scores")).await?;
    ids.execute(tx, clear!("age_scores")).await?;
    ids.execute(tx, clear!("related_items")).await?;
    Ok(())
}
