//! The orders in which locks are taken, reduced as Linux lockdep does it: every pair
//! (lock held, where) and (lock acquired, where) is kept once, and seeing it again costs a
//! look-up.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    platform::{
        counters,
        hash::{FastMap, fold},
        process::next_id,
        sync::{Sharded, lock as guard},
    },
    record::{
        lock::Acquisition,
        order::{EdgeActor, OrderEdge},
        task::Task,
    },
};

/// As many as the verdict needs: two parties, and some to choose from.
const MAX_ACTORS: usize = 4;

/// How often one actor is written down.
const MAX_MOMENTS: usize = 4;

/// Edges that are kept.
const MAX_EDGES: u64 = 100_000;

/// Edges that are kept between two sites: pairs of instances.
const MAX_EDGES_PER_SITE: u32 = 20_000;

#[derive(Debug, Default)]
struct Edges {
    by_key: FastMap<u64, Arc<OrderEdge>>,
    per_site: FastMap<u64, u32>,
}

static EDGES: OnceLock<Sharded<Edges>> = OnceLock::new();

static EDGE_COUNT: AtomicU64 = AtomicU64::new(0);

/// Edges that are new, or have a new actor, since the auditor was told.
static UNSENT: Mutex<Vec<Arc<OrderEdge>>> = Mutex::new(Vec::new());

/// While `held` were held by `actor`, `to` was taken or waited for.
pub(crate) fn record_edges(
    actor: &Arc<Task>,
    held: &[Acquisition],
    to: &Acquisition,
    now: u64,
    contended: bool,
) {
    for (index, from) in held.iter().enumerate() {
        if from.resource.id == to.resource.id {
            continue;
        }
        let gates = || {
            held.iter()
                .enumerate()
                .filter(move |(other, _)| *other != index)
                .map(|(_, acquisition)| acquisition)
        };
        // The edges of two sites share a shard, where they are counted.
        let site = fold(fold(1, u64::from(from.stack)), u64::from(to.stack));
        let mut key = fold(fold(site, from.resource.id), to.resource.id);
        key = fold(key, from.mode.word() << 8 | to.mode.word());
        for gate in gates() {
            key = fold(key, gate.resource.id << 2 | gate.mode.word());
        }
        let mut edges = guard(EDGES.get_or_init(Sharded::default).shard(site));
        if let Some(edge) = edges.by_key.get(&key) {
            let edge = Arc::clone(edge);
            drop(edges);
            note_actor(&edge, actor, now);
            continue;
        }
        let per_site = edges.per_site.entry(site).or_default();
        if *per_site >= MAX_EDGES_PER_SITE || EDGE_COUNT.load(Ordering::Relaxed) >= MAX_EDGES {
            counters::DROPPED_ORDER_EDGES.add(1);
            continue;
        }
        *per_site += 1;
        EDGE_COUNT.fetch_add(1, Ordering::Relaxed);
        let edge = Arc::new(OrderEdge {
            id: next_id(),
            from: from.clone(),
            to: to.clone(),
            gates: gates().map(|gate| (Arc::clone(&gate.resource), gate.mode)).collect(),
            contended,
            actors: Mutex::new(vec![EdgeActor::new(actor, now, actor.stamp())]),
        });
        edges.by_key.insert(key, Arc::clone(&edge));
        drop(edges);
        guard(&UNSENT).push(edge);
    }
}

fn note_actor(edge: &Arc<OrderEdge>, actor: &Arc<Task>, now: u64) {
    let mut actors = guard(&edge.actors);
    let is_own = |known: &EdgeActor| Arc::ptr_eq(&known.actor, actor);
    let times = actors.iter().filter(|known| is_own(known)).count();
    if times == 0 {
        let mut others: Vec<u64> = actors.iter().map(|known| known.actor.id).collect();
        others.dedup();
        if others.len() >= MAX_ACTORS {
            return;
        }
    }
    let moment = actor.stamp();
    if let Some(last) = actors.iter_mut().rfind(|known| is_own(known)) {
        last.last_ns = now;
        if last.is_at(&moment) {
            return;
        }
        if times >= MAX_MOMENTS {
            last.epoch = moment.epoch;
            return;
        }
    }
    let at = actors.iter().rposition(is_own).map_or(actors.len(), |last| last + 1);
    actors.insert(at, EdgeActor::new(actor, now, moment));
    drop(actors);
    guard(&UNSENT).push(Arc::clone(edge));
}

/// The edges of which the auditor does not know, or not every actor.
pub(crate) fn unsent_edges() -> Vec<Arc<OrderEdge>> {
    let mut edges = std::mem::take(&mut *guard(&UNSENT));
    edges.sort_by_key(|edge| edge.id);
    edges.dedup_by_key(|edge| edge.id);
    edges
}

/// Every edge, with the times as they are now.
pub(crate) fn all_edges() -> Vec<Arc<OrderEdge>> {
    EDGES.get().map_or_else(Vec::new, |edges| {
        edges
            .iter()
            .flat_map(|shard| guard(shard).by_key.values().cloned().collect::<Vec<_>>())
            .collect()
    })
}
