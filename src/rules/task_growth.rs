//! `task-growth`: the live tasks of one spawn site grow for as long as a program runs.
//!
//! The number of tasks of a service goes up and down with its load, so peaks say nothing. The
//! run is parted into quarters, and the least number alive in each must be above that of the
//! one before: what was there in the quietest moment has not ended. The beginning does not
//! count, in which a service takes up its work, nor does its end, in which tasks end.

use std::time::Duration;

use crate::{
    describe::{self, counted, group_digits},
    finding::{
        Confidence, Details, Finding, Origin, Severity,
        group::{Draft, Groups, Rank},
    },
    model::{Count, Run, SpawnSite, Test, origin, origin_of_site, pointed_frame},
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct TaskGrowth;

const NAME: &str = "task-growth";
/// Parts of a run that are compared.
const PARTS: usize = 4;
/// Of the run's beginning, which does not count.
const WARM_UP: u64 = 10;
/// Least counts in a part.
const LEAST_COUNTS: usize = 2;

impl Rule for TaskGrowth {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "the live tasks of one spawn site of a program grow and grow"
    }

    fn default_severity(&self) -> Severity {
        Severity::Warning
    }

    fn thresholds(&self) -> &'static [&'static str] {
        &["task-growth", "growth-time"]
    }

    fn explain(&self, run: &Run, _config: &Config, explained: &mut Explained) {
        for test in &run.tests {
            for process in &test.processes {
                let growing = process.spawn_sites.iter().filter(|it| growth(test, it).is_some());
                for at in growing.filter_map(|site| site.spawned_at.as_ref()) {
                    explained.add_spawn_site(process, at);
                    for task in process.tasks.values() {
                        if task.spawned_at.as_ref() == Some(at) {
                            explained.add_task(process, task.id);
                        }
                    }
                }
            }
        }
    }

    fn check(&self, run: &Run, _config: &Config, _explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in &run.tests {
            for process in &test.processes {
                for site in &process.spawn_sites {
                    if let Some(growth) = growth(test, site) {
                        add(&mut groups, &run.project, test, site, growth);
                    }
                }
            }
        }
        groups.finish()
    }
}

/// From the one to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Growth {
    from: Count,
    to: Count,
}

impl Growth {
    fn over_ns(self) -> u64 {
        self.to.at_ns.saturating_sub(self.from.at_ns)
    }

    fn tasks(self) -> u64 {
        self.to.alive.saturating_sub(self.from.alive)
    }

    fn spawned(self) -> u64 {
        self.to.spawned.saturating_sub(self.from.spawned)
    }

    fn ended(self) -> u64 {
        self.spawned().saturating_sub(self.tasks())
    }

    fn per_minute(self) -> u64 {
        let per_minute =
            u128::from(self.tasks()) * 60_000_000_000 / u128::from(self.over_ns().max(1));
        u64::try_from(per_minute).unwrap_or(u64::MAX)
    }

    /// "about 20 per second"
    fn slope(self) -> String {
        match self.per_minute() {
            per_minute @ 60.. => {
                format!("about {} per second", group_digits((per_minute + 30) / 60))
            }
            per_minute => format!("about {} per minute", group_digits(per_minute)),
        }
    }
}

/// `None` where the tasks of a site do not grow steadily.
fn growth(test: &Test, site: &SpawnSite) -> Option<Growth> {
    if !test.is_program {
        return None;
    }
    let counts = &site.counts;
    // From the first task on to the last moment at which there were most.
    let most = counts.iter().map(|count| count.alive).max()?;
    let end = counts.iter().rposition(|count| count.alive == most)?;
    let (first, last) = (counts.first()?, counts.get(end)?);
    let whole = last.at_ns.saturating_sub(first.at_ns);
    // Where the most were long ago, it does not grow any more.
    let after = counts.last()?.at_ns.saturating_sub(last.at_ns);
    let from_ns = first.at_ns + whole / WARM_UP;
    let window: Vec<Count> =
        counts[..=end].iter().copied().filter(|count| count.at_ns >= from_ns).collect();
    let (from, to) = (*window.first()?, *window.last()?);
    let growth = Growth { from, to };
    let is_long = Duration::from_nanos(growth.over_ns()) >= test.thresholds.growth_time;
    if !is_long || after > growth.over_ns() / 4 || growth.tasks() <= test.thresholds.task_growth {
        return None;
    }
    let mut floors = [u64::MAX; PARTS];
    let mut numbers = [0; PARTS];
    for count in &window {
        let at = u128::from(count.at_ns - from.at_ns) * PARTS as u128;
        let part = usize::try_from(at / u128::from(growth.over_ns().max(1))).unwrap_or(PARTS);
        let part = part.min(PARTS - 1);
        floors[part] = floors[part].min(count.alive);
        numbers[part] += 1;
    }
    // In each quarter at least an eighth of all of it, or it is a step and no slope.
    let rise = (growth.tasks() / (2 * PARTS as u64)).max(1);
    let grows = floors.windows(2).all(|pair| pair[1] >= pair[0].saturating_add(rise));
    (grows && numbers.iter().all(|number| *number >= LEAST_COUNTS)).then_some(growth)
}

fn add(groups: &mut Groups, project: &Project, test: &Test, site: &SpawnSite, growth: Growth) {
    let spawner = pointed_frame(&site.spawn_stack);
    let origin = match &site.spawned_at {
        Some(at) if spawner.is_none() => origin_of_site(project, at),
        _ => origin(project, &site.spawn_stack, &test.identity),
    };
    let severity = match origin {
        Origin::Library => Severity::Warning,
        Origin::Test | Origin::Dependency => Severity::Note,
    };
    let rank = Rank { severity, confidence: Confidence::Observed, weight: growth.tasks() };
    groups.add(
        vec![describe::identity(spawner)],
        describe::spot(project, spawner),
        rank,
        [test.name.clone()],
        || tell(project, test, site, growth, origin),
    );
}

fn tell(
    project: &Project,
    test: &Test,
    site: &SpawnSite,
    growth: Growth,
    origin: Origin,
) -> Option<Draft> {
    let spawner = describe::by("spawned", &site.spawn_stack, origin);
    let over = describe::duration(growth.over_ns());
    let percent = growth.ended().saturating_mul(100) / growth.spawned().max(1);
    let label = format!("spawned here, {} more alive after {over}", group_digits(growth.tasks()));
    let place =
        describe::at_stack_or_site(project, &site.spawn_stack, site.spawned_at.as_ref(), label);
    let stack = describe::labelled(project, &site.spawn_stack, "spawn stack of one of the tasks");
    let limit_ns = u64::try_from(test.thresholds.growth_time.as_nanos()).unwrap_or(u64::MAX);
    Some(Draft {
        origin,
        message: format!(
            "live tasks{spawner} grew from {} to {} in {over}, {}; {percent} % of those spawned ended",
            group_digits(growth.from.alive),
            group_digits(growth.to.alive),
            growth.slope()
        ),
        locations: describe::places([place])?,
        stacks: stack.into_iter().collect(),
        notes: vec![format!(
            "{} spawned there meanwhile, and {} ended; even in the quietest moments there were \
             more and more",
            counted(growth.spawned(), "task was", "tasks were"),
            group_digits(growth.ended()),
        )],
        minor_notes: vec![format!(
            "the thresholds are {} in {}",
            counted(test.thresholds.task_growth, "task", "tasks"),
            describe::duration(limit_ns)
        )],
        help:
            "give each task an end: close the channel that it waits for, cancel it with a token, \
               or keep its handle and abort it when what it works for is gone (a `JoinSet` does so \
               when it is dropped); `tokio-console` shows what each of them waits for"
                .to_owned(),
        details: Details::TaskGrowth {
            from_tasks: growth.from.alive,
            to_tasks: growth.to.alive,
            over_ms: growth.over_ns() / 1_000_000,
            per_minute: growth.per_minute(),
            spawned: growth.spawned(),
            ended: growth.ended(),
            limit: test.thresholds.task_growth,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::*;

    /// Each quarter of a second, for 30 s.
    fn grown(alive: impl Fn(u64) -> u64) -> Option<Growth> {
        let counts = (0..120).map(|index| Count {
            at_ns: index * 250 * MS,
            alive: alive(index),
            spawned: 1_000 * index,
        });
        let site = SpawnSite {
            spawned_at: Some(site(20)),
            spawn_stack: stack([tokio("tokio::task::spawn"), lib("app::handle", 20)]),
            counts: counts.collect(),
        };
        let mut run = run(process([], []));
        run.tests[0].is_program = true;
        growth(&run.tests[0], &site)
    }

    #[test]
    fn what_grows_steadily_is_told_with_its_slope() {
        let growth = grown(|index| 3 + 5 * index).expect("it grows");
        assert_eq!(growth.slope(), "about 20 per second");
        assert_eq!(growth.to.alive, 598);
        assert!(grown(|index| 3 + index + 40 * (index % 3)).is_some(), "among peaks");
        assert!(grown(|index| index).is_some_and(|growth| growth.slope() == "about 4 per second"));
    }

    #[test]
    fn the_end_of_a_program_takes_nothing_away() {
        assert!(grown(|index| if index < 115 { 5 * index } else { 0 }).is_some());
    }

    #[test]
    fn what_is_no_steady_growth_is_silent() {
        for (what, alive) in [
            ("a plateau", (|index: u64| 500.min(20 * index)) as fn(u64) -> u64),
            ("a step", |index| if index < 60 { 10 } else { 500 }),
            ("a few", |index| index / 4),
            ("waves", |index| 200 + 150 * (index / 10 % 2)),
            ("a flood that is over", |index| if index < 60 { 10 * index } else { 0 }),
            ("a late flood", |index| if index < 100 { 5 } else { 40 * (index - 100) }),
        ] {
            assert_eq!(grown(alive), None, "{what}");
        }
    }
}
