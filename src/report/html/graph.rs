//! Locks and their orders as pictures: a ring of a few, and the graph of all, in layers from
//! the locks that are taken first to those that are taken last.
//!
//! The layout is that of Sugiyama, Tagawa and Toda (1981): orders that lead back are turned
//! around, each lock lies in a layer behind all that are taken before it, orders over several
//! layers get a place in each, and layers are sorted by the mean place of their neighbours.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::escape::{prose, text};
use crate::{
    describe::counted,
    finding::{Details, LockGraph, LockOrder},
    report::summary::Report,
};

/// Locks in the picture.
const MAX_LOCKS: usize = 400;
/// Orders in the picture.
const MAX_ORDERS: usize = 1_600;
/// Orders in the list below it.
const MAX_LISTED: usize = 1_000;
/// Rounds of sorting the layers; they change little after that.
const ROUNDS: usize = 12;
/// The size of a lock's box, and the room around it.
const BOX: (usize, usize) = (230, 46);
const GAP: (usize, usize) = (90, 16);
/// The height of the place of an order that passes through a layer.
const LANE: usize = 10;
/// Layers that an order passes through, on average, beyond which none has a place in them.
const MAX_LANES_EACH: usize = 8;
/// Parts of the graph that are not connected stand beside each other up to this width.
const WIDTH: usize = 1_300;
/// Letters that a box has room for.
const LETTERS: usize = 32;

/// A ring: each box leads to the next, the last one to the first. The boxes' contents are
/// HTML.
pub fn push_ring(html: &mut String, caption: &str, boxes: &[(String, String)]) {
    if boxes.is_empty() {
        return;
    }
    html.push_str("<figure class=\"ring\"><ol>");
    for (title, lines) in boxes {
        let _ = write!(html, "<li><div><b>{title}</b>{lines}</div></li>");
    }
    let _ = writeln!(
        html,
        "</ol><figcaption>{}, the last one the first.</figcaption></figure>",
        text(caption)
    );
}

/// A lock as a box of a ring.
pub fn boxed(lock: &str) -> (String, String) {
    let (kind, place) = parts(lock);
    let place = match place {
        "" => String::new(),
        place => format!("<span><code>{}</code></span>", text(place)),
    };
    (prose(kind), place)
}

/// The graph as it is drawn: few enough locks, and which orders are those of a finding.
struct Drawn {
    locks: Vec<String>,
    orders: Vec<LockOrder>,
    /// Of each order: the number of the finding with a cycle that it is part of.
    finding_of: Vec<Option<usize>>,
    hidden_locks: usize,
    hidden_orders: usize,
    left_out: u64,
}

impl Drawn {
    /// The graph of the report, with the cycles of its findings.
    fn of(report: &Report) -> Self {
        let mut graph = report.lock_graph.clone().unwrap_or_default();
        graph
            .orders
            .retain(|order| order.from != order.to && order.from.max(order.to) < graph.locks.len());
        let cycles = add_cycles(&mut graph, report);
        let cycle_of = |order: &LockOrder| cycles.get(&(order.from, order.to)).copied();
        // Those of cycles first, then those with the most orders.
        let mut weight = vec![(false, 0_usize); graph.locks.len()];
        for order in &graph.orders {
            for lock in [order.from, order.to] {
                weight[lock].0 |= cycle_of(order).is_some();
                weight[lock].1 += 1;
            }
        }
        let mut kept: Vec<usize> =
            (0..graph.locks.len()).filter(|&lock| weight[lock].1 > 0).collect();
        kept.sort_by_key(|&lock| std::cmp::Reverse(weight[lock]));
        let hidden_locks = kept.len().saturating_sub(MAX_LOCKS);
        kept.truncate(MAX_LOCKS);
        kept.sort_unstable();
        let number: BTreeMap<usize, usize> =
            kept.iter().enumerate().map(|(number, &lock)| (lock, number)).collect();
        let all = graph.orders.len();
        graph.orders.sort_by_key(|order| cycle_of(order).is_none());
        let (mut orders, mut finding_of) = (Vec::new(), Vec::new());
        for order in graph.orders {
            let (Some(&from), Some(&to)) = (number.get(&order.from), number.get(&order.to)) else {
                continue;
            };
            if orders.len() < MAX_ORDERS {
                finding_of.push(cycle_of(&order));
                orders.push(LockOrder { from, to, ..order });
            }
        }
        Self {
            locks: kept.iter().map(|&lock| graph.locks[lock].clone()).collect(),
            hidden_locks,
            hidden_orders: all - orders.len(),
            orders,
            finding_of,
            left_out: graph.left_out,
        }
    }
}

/// The pairs of locks in cycles that are reported, each with its finding. Those that the
/// graph lacks are added: a report of an earlier version has no graph.
fn add_cycles(graph: &mut LockGraph, report: &Report) -> BTreeMap<(usize, usize), usize> {
    let mut numbers: BTreeMap<String, usize> =
        graph.locks.iter().enumerate().map(|(at, lock)| (lock.clone(), at)).collect();
    let mut known: BTreeSet<(usize, usize)> =
        graph.orders.iter().map(|order| (order.from, order.to)).collect();
    let mut cycles = BTreeMap::new();
    for (number, finding) in report.findings.iter().enumerate() {
        let variants = finding.variants.iter().map(|variant| &variant.details);
        for details in std::iter::once(&finding.details).chain(variants) {
            let Details::LockOrderCycle { locks, .. } = details else { continue };
            let ring: Vec<usize> = locks
                .iter()
                .map(|lock| {
                    *numbers.entry(lock.clone()).or_insert_with(|| {
                        graph.locks.push(lock.clone());
                        graph.locks.len() - 1
                    })
                })
                .collect();
            for (at, &from) in ring.iter().enumerate() {
                let to = ring[(at + 1) % ring.len()];
                // Two instances of one class.
                if from == to {
                    continue;
                }
                cycles.entry((from, to)).or_insert(number);
                if known.insert((from, to)) {
                    let tests = finding.tests.len() as u64;
                    graph.orders.push(LockOrder { from, to, held_at: None, taken_at: None, tests });
                }
            }
        }
    }
    cycles
}

/// Where everything is.
struct Layout {
    /// The left upper corner of each lock.
    at: Vec<(usize, usize)>,
    /// Of each order: points that it passes on its way.
    through: Vec<Vec<(usize, usize)>>,
    /// Of each order: it leads to a layer before its own.
    is_back: Vec<bool>,
    size: (usize, usize),
}

/// The section with the graph; nothing where no lock was taken while another one was held.
pub fn section(report: &Report, anchors: &[String]) -> Option<String> {
    let drawn = Drawn::of(report);
    if drawn.orders.is_empty() {
        return None;
    }
    let layout = layout(drawn.locks.len(), &drawn.orders);
    let in_cycles = drawn.finding_of.iter().flatten().count();
    let mut html = String::from("<section id=\"locks\">\n<h2>Lock order</h2>\n");
    let _ = writeln!(
        html,
        "<p class=\"lead\">{} and {}: each arrow leads from a lock that was held to one that was taken \
         meanwhile. {}</p>",
        counted(drawn.locks.len() as u64, "lock", "locks"),
        counted(drawn.orders.len() as u64, "order", "orders"),
        if in_cycles > 0 {
            "Those of a reported cycle are red and thick."
        } else {
            "No cycle of them is reported."
        },
    );
    if drawn.hidden_locks > 0 || drawn.hidden_orders > 0 || drawn.left_out > 0 {
        let mut parts = Vec::new();
        if drawn.hidden_locks > 0 {
            parts.push(counted(drawn.hidden_locks as u64, "further lock", "further locks"));
        }
        if drawn.hidden_orders > 0 {
            parts.push(counted(drawn.hidden_orders as u64, "further order", "further orders"));
        }
        if drawn.left_out > 0 {
            parts.push(format!(
                "what was seen {} of orders beyond the report's limit",
                counted(drawn.left_out, "time", "times")
            ));
        }
        let _ = writeln!(html, "<p class=\"dim\">Not in the picture: {}.</p>", parts.join(", "));
    }
    html.push_str(
        "<div class=\"bar script\"><input type=\"search\" id=\"lock-search\" placeholder=\"Find a lock\" \
         aria-label=\"Find a lock\">\
         <label><input type=\"checkbox\" id=\"lock-cycles\"> cycles only</label>\
         <span class=\"zoom\"><button type=\"button\" data-zoom=\"out\" aria-label=\"Smaller\">−</button>\
         <button type=\"button\" data-zoom=\"fit\">Fit</button>\
         <button type=\"button\" data-zoom=\"one\">1:1</button>\
         <button type=\"button\" data-zoom=\"in\" aria-label=\"Larger\">+</button></span>\
         <span id=\"lock-found\" class=\"dim\" aria-live=\"polite\"></span></div>\n",
    );
    push_svg(&mut html, &drawn, &layout);
    push_list(&mut html, &drawn, anchors);
    html.push_str("</section>\n");
    Some(html)
}

fn push_svg(html: &mut String, drawn: &Drawn, layout: &Layout) {
    let (width, height) = layout.size;
    let _ = write!(
        html,
        "<div class=\"graph\" tabindex=\"0\"><svg id=\"lock-graph\" xmlns=\"http://www.w3.org/2000/svg\" \
         viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-label=\"Graph of lock orders\"><defs>"
    );
    for id in ["tip", "tip-cycle"] {
        let _ = write!(
            html,
            "<marker id=\"{id}\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"8\" \
             markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker>"
        );
    }
    html.push_str("</defs>");
    let mut edges: Vec<usize> = (0..drawn.orders.len()).collect();
    // What matters is drawn over the rest.
    edges.sort_by_key(|&edge| drawn.finding_of[edge].is_some());
    for edge in edges {
        let order = &drawn.orders[edge];
        let mut class = String::from("edge");
        if drawn.finding_of[edge].is_some() {
            class.push_str(" cycle");
        }
        if layout.is_back[edge] {
            class.push_str(" back");
        }
        let tip = if drawn.finding_of[edge].is_some() { "tip-cycle" } else { "tip" };
        let _ = write!(
            html,
            "<path class=\"{class}\" data-from=\"{}\" data-to=\"{}\" marker-end=\"url(#{tip})\" d=\"{}\"><title>{}</title></path>",
            order.from,
            order.to,
            path(layout, edge, order),
            text(&sentence(drawn, order)),
        );
    }
    let mut is_in_cycle = vec![false; drawn.locks.len()];
    for (order, _) in
        drawn.orders.iter().zip(&drawn.finding_of).filter(|(_, finding)| finding.is_some())
    {
        is_in_cycle[order.from] = true;
        is_in_cycle[order.to] = true;
    }
    for (number, name) in drawn.locks.iter().enumerate() {
        let (x, y) = layout.at[number];
        let (kind, place) = parts(name);
        let class = if is_in_cycle[number] { "node cycle" } else { "node" };
        let _ = write!(
            html,
            "<g class=\"{class}\" data-lock=\"{number}\" tabindex=\"0\" transform=\"translate({x} {y})\">\
             <title>{}</title><rect width=\"{}\" height=\"{}\" rx=\"6\"/>\
             <text class=\"kind\" x=\"10\" y=\"{}\">{}</text>",
            text(name),
            BOX.0,
            BOX.1,
            if place.is_empty() { 28 } else { 19 },
            text(&end_cut(kind)),
        );
        if !place.is_empty() {
            let _ = write!(
                html,
                "<text class=\"place\" x=\"10\" y=\"36\">{}</text>",
                text(&start_cut(place))
            );
        }
        html.push_str("</g>");
    }
    html.push_str("</svg></div>\n");
}

/// "std Mutex", and where it was created.
fn parts(name: &str) -> (&str, &str) {
    for between in [" created at ", " first used at "] {
        if let Some((kind, place)) = name.split_once(between) {
            return (kind, place);
        }
    }
    (name, "")
}

fn end_cut(name: &str) -> String {
    match name.char_indices().nth(LETTERS) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.to_owned(),
    }
}

/// The end of a path says more than its beginning.
fn start_cut(name: &str) -> String {
    let letters = name.chars().count();
    match letters.checked_sub(LETTERS) {
        None | Some(0) => name.to_owned(),
        Some(more) => format!("…{}", name.chars().skip(more + 1).collect::<String>()),
    }
}

fn sentence(drawn: &Drawn, order: &LockOrder) -> String {
    let mut sentence = drawn.locks[order.from].clone();
    if let Some(at) = &order.held_at {
        let _ = write!(sentence, " (taken at {at})");
    }
    let _ = write!(sentence, " was held while {} was taken", drawn.locks[order.to]);
    if let Some(at) = &order.taken_at {
        let _ = write!(sentence, " at {at}");
    }
    let _ = write!(sentence, ", in {}", counted(order.tests, "test", "tests"));
    sentence
}

fn path(layout: &Layout, edge: usize, order: &LockOrder) -> String {
    let (from, to) = (layout.at[order.from], layout.at[order.to]);
    let (x1, y1) = (from.0 + BOX.0, from.1 + BOX.1 / 2);
    let (x2, y2) = (to.0, to.1 + BOX.1 / 2);
    if layout.is_back[edge] {
        // Out of the lower edge of the one, around, and into the lower edge of the other.
        let (x1, y1) = (from.0 + BOX.0 / 2, from.1 + BOX.1);
        let (x2, y2) = (to.0 + BOX.0 / 2, to.1 + BOX.1);
        let low = y1.max(y2) + GAP.1 + 18;
        return format!("M{x1} {y1}C{x1} {low} {x2} {low} {x2} {y2}");
    }
    let mut path = format!("M{x1} {y1}");
    let (mut x, mut y) = (x1, y1);
    for &(left, middle) in &layout.through[edge] {
        let half = (left.saturating_sub(x)) / 2;
        let _ = write!(path, "C{} {y} {} {middle} {left} {middle}", x + half, left - half);
        let _ = write!(path, "H{}", left + BOX.0);
        (x, y) = (left + BOX.0, middle);
    }
    let half = (x2.saturating_sub(x)) / 2;
    let _ = write!(path, "C{} {y} {} {y2} {x2} {y2}", x + half, x2 - half);
    path
}

fn push_list(html: &mut String, drawn: &Drawn, anchors: &[String]) {
    let _ = write!(
        html,
        "<details class=\"orders\"><summary>All orders as a list</summary><table><thead><tr><th>held</th><th>taken meanwhile</th>\
         <th class=\"num\">tests</th><th></th></tr></thead><tbody>"
    );
    for (order, finding) in drawn.orders.iter().zip(&drawn.finding_of).take(MAX_LISTED) {
        let place = |at: &Option<String>| {
            at.as_ref().map_or_else(String::new, |at| format!("<br><code>{}</code>", text(at)))
        };
        let link =
            finding.and_then(|number| anchors.get(number)).map_or_else(String::new, |anchor| {
                format!("<a href=\"#{anchor}\" class=\"bad\">in a cycle</a>")
            });
        let _ = write!(
            html,
            "<tr><td>{}{}</td><td>{}{}</td><td class=\"num\">{}</td><td>{link}</td></tr>",
            text(&drawn.locks[order.from]),
            place(&order.held_at),
            text(&drawn.locks[order.to]),
            place(&order.taken_at),
            order.tests,
        );
    }
    html.push_str("</tbody></table>");
    if let Some(more @ 1..) = drawn.orders.len().checked_sub(MAX_LISTED) {
        let _ = write!(html, "<p class=\"dim\">and {more} more</p>");
    }
    html.push_str("</details>\n");
}

/// Places for all locks, one connected part after the other, the largest first.
fn layout(locks: usize, orders: &[LockOrder]) -> Layout {
    let mut result = Layout {
        at: vec![(0, 0); locks],
        through: vec![Vec::new(); orders.len()],
        is_back: vec![false; orders.len()],
        size: (0, 0),
    };
    let (mut x, mut y, mut row) = (GAP.1, GAP.1, 0);
    for (members, edges) in connected(locks, orders) {
        let part = part(&members, &edges, orders);
        if x > GAP.1 && x + part.size.0 > WIDTH {
            (x, y, row) = (GAP.1, y + row + 2 * GAP.1, 0);
        }
        for (lock, at) in members.iter().zip(&part.at) {
            result.at[*lock] = (x + at.0, y + at.1);
        }
        for ((edge, points), is_back) in edges.iter().zip(part.through).zip(part.is_back) {
            result.through[*edge] =
                points.into_iter().map(|point| (x + point.0, y + point.1)).collect();
            result.is_back[*edge] = is_back;
        }
        result.size.0 = result.size.0.max(x + part.size.0 + GAP.1);
        result.size.1 = result.size.1.max(y + part.size.1 + GAP.1);
        x += part.size.0 + GAP.0;
        row = row.max(part.size.1);
    }
    result
}

/// Of the part that a lock is in, the first lock.
fn find(root: &mut [usize], mut lock: usize) -> usize {
    while root[lock] != lock {
        root[lock] = root[root[lock]];
        lock = root[lock];
    }
    lock
}

/// The connected parts: locks and orders of each.
fn connected(locks: usize, orders: &[LockOrder]) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut root: Vec<usize> = (0..locks).collect();
    for order in orders {
        let (from, to) = (find(&mut root, order.from), find(&mut root, order.to));
        root[from.max(to)] = from.min(to);
    }
    let mut parts: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for lock in 0..locks {
        parts.entry(find(&mut root, lock)).or_default().0.push(lock);
    }
    for (edge, order) in orders.iter().enumerate() {
        parts.entry(find(&mut root, order.from)).or_default().1.push(edge);
    }
    let mut parts: Vec<_> = parts.into_values().collect();
    parts.sort_by_key(|(members, _)| std::cmp::Reverse(members.len()));
    parts
}

/// Layers of one connected part.
fn part(members: &[usize], edges: &[usize], orders: &[LockOrder]) -> Layout {
    let number: BTreeMap<usize, usize> =
        members.iter().enumerate().map(|(number, &lock)| (lock, number)).collect();
    let arcs: Vec<(usize, usize)> =
        edges.iter().map(|&edge| (number[&orders[edge].from], number[&orders[edge].to])).collect();
    let count = members.len();
    let is_back = back_arcs(count, &arcs);
    let layer = layers(count, &arcs, &is_back);

    // Nodes beyond the locks are the places of orders that pass through a layer.
    let mut layer_of = layer.clone();
    let mut neighbours: Vec<(Vec<usize>, Vec<usize>)> = vec![Default::default(); count];
    let mut lanes: Vec<Vec<usize>> = vec![Vec::new(); arcs.len()];
    let length = |arc: usize| {
        let (from, to) = arcs[arc];
        if is_back[arc] { 0 } else { layer[to] - layer[from] - 1 }
    };
    // In a long chain with orders from each lock to all others, they would be most of the file.
    let has_lanes = (0..arcs.len()).map(length).sum::<usize>() <= MAX_LANES_EACH * arcs.len();
    for (arc, &(from, to)) in arcs.iter().enumerate() {
        if is_back[arc] {
            continue;
        }
        let mut last = from;
        for passed in (layer[from] + 1..layer[to]).filter(|_| has_lanes) {
            let lane = layer_of.len();
            layer_of.push(passed);
            neighbours.push(Default::default());
            neighbours[last].1.push(lane);
            neighbours[lane].0.push(last);
            lanes[arc].push(lane);
            last = lane;
        }
        neighbours[last].1.push(to);
        neighbours[to].0.push(last);
    }
    let depth = layer_of.iter().max().map_or(0, |last| last + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); depth];
    for (node, &layer) in layer_of.iter().enumerate() {
        rows[layer].push(node);
    }
    sort_rows(&mut rows, &neighbours);

    let height = |node: usize| if node < count { BOX.1 + GAP.1 } else { LANE };
    let heights: Vec<usize> =
        rows.iter().map(|row| row.iter().map(|&node| height(node)).sum()).collect();
    let tallest = heights.iter().copied().max().unwrap_or(0);
    let mut at = vec![(0, 0); layer_of.len()];
    for (layer, row) in rows.iter().enumerate() {
        let mut y = (tallest - heights[layer]) / 2;
        for &node in row {
            at[node] = (layer * (BOX.0 + GAP.0), y + if node < count { 0 } else { LANE / 2 });
            y += height(node);
        }
    }
    let through = lanes.iter().map(|lanes| lanes.iter().map(|&lane| at[lane]).collect()).collect();
    at.truncate(count);
    // Orders that lead back pass below.
    let below = if is_back.contains(&true) { 2 * GAP.1 + 10 } else { 0 };
    let size = (depth * (BOX.0 + GAP.0) - GAP.0, tallest + below);
    Layout { at, through, is_back, size }
}

/// The arcs that close a circle, as a search in depth meets them: first from those that
/// nothing leads to.
fn back_arcs(count: usize, arcs: &[(usize, usize)]) -> Vec<bool> {
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut incoming = vec![0_usize; count];
    for (arc, &(from, to)) in arcs.iter().enumerate() {
        out[from].push(arc);
        incoming[to] += 1;
    }
    let mut starts: Vec<usize> = (0..count).collect();
    starts.sort_by_key(|&node| (incoming[node], std::cmp::Reverse(out[node].len())));
    let (mut is_open, mut is_done) = (vec![false; count], vec![false; count]);
    let mut is_back = vec![false; arcs.len()];
    for start in starts {
        if is_done[start] {
            continue;
        }
        is_open[start] = true;
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let Some(&arc) = out[*node].get(*next) else {
                is_open[*node] = false;
                is_done[*node] = true;
                path.pop();
                continue;
            };
            *next += 1;
            let to = arcs[arc].1;
            if is_open[to] {
                is_back[arc] = true;
            } else if !is_done[to] {
                is_open[to] = true;
                path.push((to, 0));
            }
        }
    }
    is_back
}

/// The layer of each node: behind all that lead to it.
fn layers(count: usize, arcs: &[(usize, usize)], is_back: &[bool]) -> Vec<usize> {
    let forward =
        || arcs.iter().zip(is_back).filter(|(_, is_back)| !**is_back).map(|(arc, _)| *arc);
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut waits = vec![0_usize; count];
    for (from, to) in forward() {
        out[from].push(to);
        waits[to] += 1;
    }
    let mut layer = vec![0; count];
    let mut ready: Vec<usize> = (0..count).filter(|&node| waits[node] == 0).collect();
    while let Some(node) = ready.pop() {
        for &to in &out[node] {
            layer[to] = layer[to].max(layer[node] + 1);
            waits[to] -= 1;
            if waits[to] == 0 {
                ready.push(to);
            }
        }
    }
    layer
}

/// Sorts each layer by the mean place of its neighbours in the one before, and then behind.
fn sort_rows(rows: &mut [Vec<usize>], neighbours: &[(Vec<usize>, Vec<usize>)]) {
    let mut place = vec![0.0_f64; neighbours.len()];
    let settle = |row: &[usize], place: &mut [f64]| {
        for (at, &node) in row.iter().enumerate() {
            place[node] = at as f64 / row.len() as f64;
        }
    };
    for row in rows.iter() {
        settle(row, &mut place);
    }
    for round in 0..ROUNDS {
        let is_forward = round % 2 == 0;
        for step in 0..rows.len() {
            let at = if is_forward { step } else { rows.len() - 1 - step };
            let mean = |node: usize, place: &[f64]| {
                let (before, behind) = &neighbours[node];
                let beside = if is_forward { before } else { behind };
                if beside.is_empty() {
                    return place[node];
                }
                beside.iter().map(|&other| place[other]).sum::<f64>() / beside.len() as f64
            };
            let means: BTreeMap<usize, f64> =
                rows[at].iter().map(|&node| (node, mean(node, &place))).collect();
            rows[at].sort_by(|a, b| means[a].total_cmp(&means[b]));
            settle(&rows[at], &mut place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(pairs: &[(usize, usize)]) -> Vec<LockOrder> {
        let order = |&(from, to)| LockOrder { from, to, held_at: None, taken_at: None, tests: 1 };
        pairs.iter().map(order).collect()
    }

    #[test]
    fn orders_lead_to_the_right_but_for_those_that_close_a_circle() {
        let orders = orders(&[(0, 1), (1, 2), (0, 2), (2, 0), (3, 4)]);
        let layout = layout(5, &orders);
        assert_eq!(layout.is_back.iter().filter(|is_back| **is_back).count(), 1);
        for (edge, order) in orders.iter().enumerate() {
            let (from, to) = (layout.at[order.from], layout.at[order.to]);
            assert_eq!(layout.is_back[edge], to.0 < from.0, "{order:?}");
        }
    }

    #[test]
    fn no_two_locks_lie_on_each_other() {
        let pairs: Vec<(usize, usize)> =
            (0..200).flat_map(|at| [(at, (at * 7 + 1) % 200), (at, (at * at + 3) % 200)]).collect();
        let layout = layout(200, &orders(&pairs));
        for (one, a) in layout.at.iter().enumerate() {
            assert!(a.0 + BOX.0 <= layout.size.0 && a.1 + BOX.1 <= layout.size.1);
            for b in &layout.at[..one] {
                assert!(a.0.abs_diff(b.0) >= BOX.0 || a.1.abs_diff(b.1) >= BOX.1, "{a:?} {b:?}");
            }
        }
    }
}
