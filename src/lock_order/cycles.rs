//! Cycles in a graph of locks: the shortest per strongly connected component
//! that the caller's judgement lets pass.
//!
//! Nodes are small integers, edges may be parallel (two places that take the
//! same two locks), and whether a lock was taken or is held for reading decides
//! which edges follow on which: see [`Graph`].
//!
//! Components come from Tarjan's algorithm, without recursion: a hostile graph may
//! be a chain of a million locks. Cycles come from a breadth-first search per node,
//! cut off at the best length so far, then, where the judgement refuses what that
//! found, from an iteratively deepened search over simple cycles of at most
//! [`MAX_DEPTH`] edges, pruned by the distance back to the start.
//!
//! Bound: a component of E edges costs at most `FACTOR * E + FLOOR` edge visits
//! in either search, so the whole is linear in the size of the graph. Within
//! the bound the result is exact; beyond it a longer cycle than the shortest
//! may be reported, and a cycle that passes may be missed behind many that do
//! not.

use std::{cell::OnceCell, collections::VecDeque};

use rustc_hash::FxHashMap;

use crate::model::Mode;

/// The longest cycle that is looked for among those that judgement picks from.
pub const MAX_DEPTH: usize = 8;
const FACTOR: usize = 6;
const FLOOR: usize = 20_000;

/// While `from` was held in `held`, `to` was taken in `taken`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// A node: the lock that was held.
    pub from: usize,
    /// How it was held.
    pub held: Mode,
    /// A node: the lock that was taken.
    pub to: usize,
    /// How it was taken.
    pub taken: Mode,
}

const MODES: [Mode; 3] = [Mode::Exclusive, Mode::Shared, Mode::Upgradable];

/// Whether who holds a lock in one mode keeps out who wants it in another, no one else
/// having a part in it.
pub fn blocks(held: Mode, wanted: Mode) -> bool {
    match (held, wanted) {
        (Mode::Exclusive, _) | (_, Mode::Exclusive) | (Mode::Upgradable, Mode::Upgradable) => true,
        (Mode::Shared, _) | (_, Mode::Shared) => false,
    }
}

/// The more holders a mode has to wait for, the stronger it is.
fn strength(mode: Mode) -> usize {
    MODES.into_iter().filter(|held| blocks(*held, mode)).count()
}

/// A lock that somebody waits for, by how it is wanted.
fn state(lock: usize, wanted: Mode) -> usize {
    lock * MODES.len()
        + match wanted {
            Mode::Exclusive => 0,
            Mode::Shared => 1,
            Mode::Upgradable => 2,
        }
}

/// What the caller thinks of a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Not a cycle that could deadlock.
    Refused,
    /// Good, were there no better one.
    Accepted,
    /// Look no further.
    Best,
}

/// Locks and the orders in which they were taken.
///
/// Each lock is three states, by how it was taken ([`Mode`]). Whoever waits to take
/// it exclusively is blocked by every holder; whoever waits to read it is blocked by
/// those that [`blocks`] names, and by the others only where `reads_block` says that a
/// writer may be queued between the two.
#[derive(Debug)]
pub struct Graph<'a> {
    edges: &'a [Edge],
    reads_block: &'a [bool],
    /// Edge indices by [`state`].
    leaving: Lists,
    /// The states before each state; few graphs need them.
    entering: OnceCell<Lists>,
}

impl<'a> Graph<'a> {
    /// `reads_block` has one element per lock. Edges from a lock to itself are
    /// left out: that is recursion, not an order.
    pub fn new(edges: &'a [Edge], reads_block: &'a [bool]) -> Self {
        // A lock that nobody waits to read needs one state only.
        let mut is_wanted = vec![false; reads_block.len() * MODES.len()];
        for edge in edges {
            is_wanted[state(edge.to, edge.taken)] = true;
        }
        let orders = edges.iter().enumerate().filter(|(_, edge)| edge.from != edge.to);
        let leaving = orders.flat_map(|(index, edge)| {
            let is_wanted = &is_wanted;
            MODES.into_iter().filter_map(move |wanted| {
                let state = state(edge.from, wanted);
                let leads_on = blocks(edge.held, wanted) || reads_block[edge.from];
                (is_wanted[state] && leads_on).then_some((state, index as u32))
            })
        });
        let leaving = Lists::new(reads_block.len() * MODES.len(), leaving);
        Self { edges, reads_block, leaving, entering: OnceCell::new() }
    }

    fn states(&self) -> usize {
        self.reads_block.len() * MODES.len()
    }

    /// Each state with each state that follows on it.
    fn arcs(&self) -> impl Iterator<Item = (usize, usize)> + Clone {
        (0..self.states()).flat_map(move |state| {
            self.leaving.of(state).iter().map(move |&edge| (state, self.target(edge)))
        })
    }

    fn entering(&self, state: usize) -> &[u32] {
        let entering = self.entering.get_or_init(|| {
            Lists::new(self.states(), self.arcs().map(|(from, to)| (to, from as u32)))
        });
        entering.of(state)
    }

    fn target(&self, edge: u32) -> usize {
        let edge = self.edges[edge as usize];
        state(edge.to, edge.taken)
    }

    /// One cycle per component at most, as indices of its edges in order.
    /// `judge` is asked about each candidate; the first `Best` wins, else the
    /// shortest `Accepted`.
    pub fn cycles(&self, mut judge: impl FnMut(&[usize]) -> Verdict) -> Vec<Vec<usize>> {
        let states = self.states();
        let members = components(states, self.arcs());
        let mut component_of = vec![u32::MAX; states];
        for (component, states) in members.iter().enumerate() {
            for &state in states {
                component_of[state] = component as u32;
            }
        }
        let mut search = Search {
            graph: self,
            component_of: &component_of,
            distance: vec![usize::MAX; states],
            via: vec![u32::MAX; states],
            touched: Vec::new(),
            budget: 0,
        };
        members.iter().filter_map(|states| search.component(states, &mut judge)).collect()
    }
}

/// For each of so many nodes a list, all of them in one piece of memory.
#[derive(Debug)]
struct Lists {
    /// Where the list of each node begins; one more for the end of the last.
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    /// `items` are those of a node each; those of one node stay in their order.
    fn new(nodes: usize, items: impl Iterator<Item = (usize, u32)> + Clone) -> Self {
        let mut starts = vec![0_u32; nodes + 1];
        for (node, _) in items.clone() {
            starts[node + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut ends = starts.clone();
        let mut sorted = vec![0; starts[nodes] as usize];
        for (node, item) in items {
            sorted[ends[node] as usize] = item;
            ends[node] += 1;
        }
        Self { starts, items: sorted }
    }

    fn of(&self, node: usize) -> &[u32] {
        &self.items[self.starts[node] as usize..self.starts[node + 1] as usize]
    }
}

/// The strongly connected components of more than one node, each sorted, in the order
/// of their first nodes.
pub fn components(
    nodes: usize,
    arcs: impl Iterator<Item = (usize, usize)> + Clone,
) -> Vec<Vec<usize>> {
    const UNSEEN: u32 = u32::MAX;
    let lists = Lists::new(nodes, arcs.map(|(from, to)| (from, to as u32)));
    let mut found: Vec<Vec<usize>> = Vec::new();
    // When each node was seen first, and the earliest that it leads back to.
    let mut seen = vec![UNSEEN; nodes];
    let mut lowest = vec![UNSEEN; nodes];
    let mut is_done = vec![false; nodes];
    let mut open: Vec<usize> = Vec::new();
    let mut path: Vec<(usize, u32)> = Vec::new();
    let mut clock = 0;
    for root in 0..nodes {
        if seen[root] != UNSEEN {
            continue;
        }
        path.push((root, lists.starts[root]));
        while let Some((node, at)) = path.last_mut() {
            let node = *node;
            if seen[node] == UNSEEN {
                (seen[node], lowest[node]) = (clock, clock);
                clock += 1;
                open.push(node);
            }
            if *at < lists.starts[node + 1] {
                let next = lists.items[*at as usize] as usize;
                *at += 1;
                if seen[next] == UNSEEN {
                    path.push((next, lists.starts[next]));
                } else if !is_done[next] {
                    lowest[node] = lowest[node].min(seen[next]);
                }
                continue;
            }
            path.pop();
            if let Some(&(before, _)) = path.last() {
                lowest[before] = lowest[before].min(lowest[node]);
            }
            if lowest[node] == seen[node] {
                let first = open.iter().rposition(|&other| other == node).unwrap_or(0);
                let mut component = open.split_off(first);
                for &member in &component {
                    is_done[member] = true;
                }
                if component.len() > 1 {
                    component.sort_unstable();
                    found.push(component);
                }
            }
        }
    }
    found.sort_unstable_by_key(|component| component[0]);
    found
}

struct Search<'a> {
    graph: &'a Graph<'a>,
    component_of: &'a [u32],
    distance: Vec<usize>,
    via: Vec<u32>,
    touched: Vec<usize>,
    budget: usize,
}

impl Search<'_> {
    fn component(
        &mut self,
        states: &[usize],
        judge: &mut impl FnMut(&[usize]) -> Verdict,
    ) -> Option<Vec<usize>> {
        let edges: usize = states.iter().map(|&state| self.graph.leaving.of(state).len()).sum();
        let budget = FACTOR * edges + FLOOR;

        self.budget = budget;
        let mut shortest: Option<Vec<usize>> = None;
        for &root in states {
            let limit = shortest.as_ref().map_or(usize::MAX, Vec::len);
            if limit <= 2 || (self.budget == 0 && shortest.is_some()) {
                break;
            }
            if let Some(cycle) = self.through(root, limit) {
                shortest = Some(cycle);
            }
        }
        let shortest = shortest?;
        let mut best = match judge(&shortest) {
            Verdict::Best => return Some(shortest),
            Verdict::Accepted => Some(shortest),
            Verdict::Refused => None,
        };

        self.budget = budget;
        for depth in 2..=MAX_DEPTH.min(states.len()) {
            for &root in states {
                if self.budget == 0 {
                    return best;
                }
                self.distances_to(root, depth);
                let mut path = Vec::with_capacity(depth);
                let found = self.deepen(root, root, depth, &mut path, judge, &mut best);
                self.forget();
                if found {
                    return best;
                }
            }
        }
        best
    }

    fn within(&self, state: usize, root: usize) -> bool {
        self.component_of[state] == self.component_of[root]
    }

    fn forget(&mut self) {
        for state in self.touched.drain(..) {
            self.distance[state] = usize::MAX;
            self.via[state] = u32::MAX;
        }
    }

    /// The shortest cycle through `root` of fewer than `limit` edges. Runs to
    /// its end though the budget is used up: the first one must find a cycle.
    fn through(&mut self, root: usize, limit: usize) -> Option<Vec<usize>> {
        self.distance[root] = 0;
        self.touched.push(root);
        let mut queue = VecDeque::from([root]);
        let mut closing = None;
        'search: while let Some(state) = queue.pop_front() {
            if self.distance[state] + 1 >= limit {
                break;
            }
            for &edge in self.graph.leaving.of(state) {
                self.budget = self.budget.saturating_sub(1);
                let next = self.graph.target(edge);
                if next == root {
                    closing = Some((state, edge));
                    break 'search;
                }
                if self.within(next, root) && self.distance[next] == usize::MAX {
                    self.distance[next] = self.distance[state] + 1;
                    self.via[next] = edge;
                    self.touched.push(next);
                    queue.push_back(next);
                }
            }
        }
        let cycle = closing.map(|(mut state, edge)| {
            let mut cycle = vec![edge as usize];
            // The edge that led to a state leaves from one of its lock's states,
            // and the one nearer to the root led to it.
            while state != root {
                let edge = self.via[state];
                cycle.push(edge as usize);
                let lock = self.graph.edges[edge as usize].from;
                let nearer = self.distance[state] - 1;
                state = MODES
                    .into_iter()
                    .map(|wanted| self::state(lock, wanted))
                    .find(|&before| {
                        self.distance[before] == nearer
                            && self.graph.leaving.of(before).binary_search(&edge).is_ok()
                    })
                    .unwrap_or(root);
            }
            cycle.reverse();
            cycle
        });
        self.forget();
        cycle.map(|cycle| self.simple(cycle))
    }

    /// Shortens a cycle that passes a lock in two of its states. Between the two
    /// passages lie two closed walks, and the one that arrives in the stronger mode
    /// is a cycle of its own, since whatever blocks the weaker one blocks it.
    fn simple(&self, mut cycle: Vec<usize>) -> Vec<usize> {
        let graph = self.graph;
        loop {
            let mut passed = FxHashMap::default();
            let twice = cycle.iter().enumerate().find_map(|(at, &edge)| {
                passed.insert(graph.edges[edge].from, at).map(|before| (before, at))
            });
            let Some((first, second)) = twice else { return cycle };
            let arrival = |passage: usize| {
                let before = (passage + cycle.len() - 1) % cycle.len();
                strength(graph.edges[cycle[before]].taken)
            };
            if arrival(second) >= arrival(first) {
                cycle = cycle[first..second].to_vec();
            } else {
                cycle.drain(first..second);
            }
        }
    }

    /// The way back to `root` from every state above it, up to `depth` edges.
    fn distances_to(&mut self, root: usize, depth: usize) {
        self.distance[root] = 0;
        self.touched.push(root);
        let mut queue = VecDeque::from([root]);
        while let Some(state) = queue.pop_front() {
            if self.distance[state] + 1 >= depth || self.budget == 0 {
                break;
            }
            for &before in self.graph.entering(state) {
                self.budget = self.budget.saturating_sub(1);
                let before = before as usize;
                if before > root && self.within(before, root) && self.distance[before] == usize::MAX
                {
                    self.distance[before] = self.distance[state] + 1;
                    self.touched.push(before);
                    queue.push_back(before);
                }
            }
        }
    }

    /// Simple cycles of exactly `depth` edges that start at `root`, their
    /// smallest state. Whether a `Best` was found.
    fn deepen(
        &mut self,
        root: usize,
        state: usize,
        depth: usize,
        path: &mut Vec<usize>,
        judge: &mut impl FnMut(&[usize]) -> Verdict,
        best: &mut Option<Vec<usize>>,
    ) -> bool {
        let graph = self.graph;
        for &edge in graph.leaving.of(state) {
            if self.budget == 0 {
                return false;
            }
            self.budget -= 1;
            let next = graph.target(edge);
            path.push(edge as usize);
            if path.len() == depth {
                if next == root {
                    match judge(path) {
                        Verdict::Best => {
                            *best = Some(path.clone());
                            return true;
                        }
                        Verdict::Accepted if best.is_none() => *best = Some(path.clone()),
                        Verdict::Accepted | Verdict::Refused => {}
                    }
                }
            } else if next > root
                && self.within(next, root)
                && self.distance[next] <= depth - path.len()
                && path.iter().all(|&taken| graph.edges[taken].from != next / MODES.len())
                && self.deepen(root, next, depth, path, judge, best)
            {
                return true;
            }
            path.pop();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const X: Mode = Mode::Exclusive;
    const S: Mode = Mode::Shared;
    const U: Mode = Mode::Upgradable;

    fn e(from: usize, held: Mode, to: usize, taken: Mode) -> Edge {
        Edge { from, held, to, taken }
    }

    fn found(edges: &[Edge], reads_block: bool) -> Vec<Vec<usize>> {
        let locks = edges.iter().map(|edge| edge.from.max(edge.to) + 1).max().unwrap_or(0);
        Graph::new(edges, &vec![reads_block; locks]).cycles(|_| Verdict::Best)
    }

    #[test]
    fn the_shortest_cycle_of_each_component_is_found() {
        let edges = [(0, 1), (1, 2), (2, 0), (1, 0), (5, 6), (6, 7), (7, 5), (0, 5), (3, 3)]
            .map(|(from, to)| e(from, X, to, X));
        assert_eq!(found(&edges, false), [vec![0, 3], vec![4, 5, 6]]);
    }

    #[test]
    fn readers_block_readers_only_behind_a_writer() {
        let readers = [e(0, S, 1, S), e(1, S, 0, S)];
        assert!(found(&readers, false).is_empty());
        assert_eq!(found(&readers, true).len(), 1);
        let one_writes = [e(0, X, 1, S), e(1, X, 0, S)];
        assert_eq!(found(&one_writes, false).len(), 1);
    }

    #[test]
    fn an_upgradable_reader_excludes_its_like_and_admits_readers() {
        assert_eq!(found(&[e(0, U, 1, X), e(1, X, 0, U)], false).len(), 1);
        assert!(found(&[e(0, U, 1, X), e(1, X, 0, S)], false).is_empty());
        assert!(found(&[e(0, S, 1, X), e(1, X, 0, U)], false).is_empty());
        assert_eq!(found(&[e(0, S, 1, X), e(1, X, 0, U)], true).len(), 1);
    }

    #[test]
    fn a_refused_cycle_gives_way_to_the_next_one() {
        let edges = [(0, 1), (1, 0), (1, 2), (2, 0), (1, 0)].map(|(from, to)| e(from, X, to, X));
        let cycles = |refused: &[&[usize]]| {
            Graph::new(&edges, &[false; 3]).cycles(|cycle| {
                if refused.contains(&cycle) { Verdict::Refused } else { Verdict::Best }
            })
        };
        assert_eq!(cycles(&[&[0, 1]]), [vec![0, 4]]);
        assert_eq!(cycles(&[&[0, 1], &[0, 4]]), [vec![0, 2, 3]]);
        assert!(cycles(&[&[0, 1], &[0, 4], &[0, 2, 3]]).is_empty());
    }

    /// The length of the shortest cycle through each pair of locks' component,
    /// by trying every simple path.
    fn brute(edges: &[Edge], reads_block: &[bool]) -> Option<usize> {
        fn go(
            edges: &[Edge],
            reads_block: &[bool],
            path: &mut Vec<usize>,
            best: &mut Option<usize>,
        ) {
            let follows =
                |a: Edge, b: Edge| a.to == b.from && (blocks(b.held, a.taken) || reads_block[a.to]);
            let (first, last) = (edges[path[0]], edges[path[path.len() - 1]]);
            if path.len() > 1 && follows(last, first) {
                *best = Some(best.map_or(path.len(), |best| best.min(path.len())));
                return;
            }
            for next in 0..edges.len() {
                let repeats = path.iter().any(|&at| edges[at].from == edges[next].from);
                if edges[next].from != edges[next].to && !repeats && follows(last, edges[next]) {
                    path.push(next);
                    go(edges, reads_block, path, best);
                    path.pop();
                }
            }
        }
        let mut best = None;
        for start in (0..edges.len()).filter(|&at| edges[at].from != edges[at].to) {
            go(edges, reads_block, &mut vec![start], &mut best);
        }
        best
    }

    fn mode() -> impl Strategy<Value = Mode> {
        prop_oneof![Just(X), Just(S), Just(U)]
    }

    proptest! {
        #[test]
        fn agrees_with_trying_every_path(
            edges in prop::collection::vec((0..6_usize, mode(), 0..6_usize, mode()), 0..14),
            reads_block in prop::collection::vec(any::<bool>(), 6),
        ) {
            let edges: Vec<Edge> = edges.into_iter().map(|(a, b, c, d)| e(a, b, c, d)).collect();
            let cycles = Graph::new(&edges, &reads_block).cycles(|_| Verdict::Best);
            let shortest = cycles.iter().map(Vec::len).min();
            prop_assert_eq!(shortest, brute(&edges, &reads_block));
            for cycle in &cycles {
                let locks: BTreeSet<usize> = cycle.iter().map(|&at| edges[at].from).collect();
                prop_assert_eq!(locks.len(), cycle.len());
                for (at, &edge) in cycle.iter().enumerate() {
                    let next = edges[cycle[(at + 1) % cycle.len()]];
                    let edge = edges[edge];
                    prop_assert_eq!(edge.to, next.from);
                    let blocks = blocks(next.held, edge.taken) || reads_block[edge.to];
                    prop_assert!(blocks);
                }
            }
            // Refusing everything must try every simple cycle, and find none.
            prop_assert!(Graph::new(&edges, &reads_block).cycles(|_| Verdict::Refused).is_empty());
        }
    }

    #[test]
    #[ignore = "a measurement: run with --release --nocapture"]
    #[expect(clippy::print_stderr, reason = "a measurement is there to be read")]
    fn ten_thousand_locks_and_a_million_edges() {
        let mut seed = 1_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % below
        };
        let mut edges: Vec<Edge> = (0..1_000_000)
            .map(|_| {
                let (a, b) = (random(10_000), random(10_000));
                e(a.min(b), X, a.max(b), X)
            })
            .collect();
        for (name, verdict) in [("accepted", Verdict::Best), ("refused", Verdict::Refused)] {
            for (shape, back) in [("without cycles", 0), ("one component", 1_000)] {
                edges.truncate(1_000_000);
                edges.extend((0..back).map(|at| e(9_999 - at, X, at, X)));
                let started = std::time::Instant::now();
                let cycles = Graph::new(&edges, &[false; 10_000]).cycles(|_| verdict);
                let took = started.elapsed();
                eprintln!("{shape}, {name}: {took:?}, {} found", cycles.len());
            }
        }
    }
}
