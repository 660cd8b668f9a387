//! What a person sees of the rules that judge the lives of tasks.

use super::*;
use crate::finding::{Confidence, Details, Finding, Location, Origin, Role, Severity, fingerprint};

const SHOP: &str = "\
pub fn serve(orders: Vec<Order>) {
    for order in orders {
        tokio::spawn(async move {
            let stock = tokio::spawn(order.stock());
            order.ship(stock.await.unwrap()).expect(\"in stock\");
        });
    }
    self.waker.lock().unwrap().take();
}
";

fn sources(file: &str) -> Option<String> {
    (file == "src/shop.rs").then(|| SHOP.to_owned())
}

fn finding(
    rule: &str,
    severity: Severity,
    message: &str,
    places: &[(u32, u32, &str)],
    details: Details,
) -> Finding {
    let place = |at: usize, (line, column, label): &(u32, u32, &str)| Location {
        file: "src/shop.rs".to_owned(),
        absolute_path: None,
        line: *line,
        column: Some(*column),
        function: "shop::serve".to_owned(),
        label: (*label).to_owned(),
        role: if at == 0 { Role::Primary } else { Role::Secondary },
    };
    Finding {
        rule: rule.to_owned(),
        severity,
        confidence: Confidence::Observed,
        origin: Origin::Library,
        message: message.to_owned(),
        fingerprint: fingerprint(rule, &["shop::serve"]),
        locations: places.iter().enumerate().map(|(at, one)| place(at, one)).collect(),
        stacks: Vec::new(),
        notes: Vec::new(),
        minor_notes: vec![],
        help: "see the page".to_owned(),
        tests: vec!["shop tests::works".to_owned()],
        occurrences: 1,
        variants: vec![],
        further_occurrences: 0,
        details,
        suppressed: vec![],
        baseline: None,
    }
}

fn of_tasks() -> Vec<Finding> {
    vec![
        finding(
            "lost-waker",
            Severity::Error,
            "task spawned by `shop::serve` can never run again: its last waker was dropped by \
             `shop::serve` without a wake",
            &[(8, 5, "its last waker is dropped here"), (3, 9, "task spawned here")],
            Details::LostWaker {
                task_kind: "task".to_owned(),
                task_name: None,
                registered: true,
                stuck_ms: 40,
                waits_for: vec!["waits for a future".to_owned()],
            },
        ),
        finding(
            "orphaned-task",
            Severity::Warning,
            "task spawned by `shop::serve` lives on after the task that had its handle was \
             cancelled",
            &[
                (4, 25, "task spawned here"),
                (3, 9, "by this task, which had its handle and was cancelled"),
            ],
            Details::OrphanedTask {
                task_name: None,
                outlived_ms: 700,
                ended: "never".to_owned(),
                waits_for: vec!["waits for a Notify".to_owned()],
            },
        ),
        finding(
            "silent-panic",
            Severity::Error,
            "task spawned by `shop::serve` panicked (in stock: Empty), and nobody noticed",
            &[(5, 46, "panicked here"), (3, 9, "task spawned here")],
            Details::SilentPanic {
                task_kind: "task".to_owned(),
                task_name: None,
                panic_message: Some("in stock: Empty".to_owned()),
                panicked_at: Some("src/shop.rs:5:46".to_owned()),
                detached: true,
            },
        ),
        finding(
            "spawn-storm",
            Severity::Warning,
            "1,500 tasks spawned by `shop::serve` were alive at once: nothing bounds them",
            &[(3, 9, "spawned here, 1,500 tasks at once")],
            Details::SpawnStorm { peak: 1_500, spawned: 4_000, limit: 1_000 },
        ),
    ]
}

#[test]
fn what_becomes_of_tasks_is_told_like_the_rest() {
    let options = HumanOptions { color: false, verbose: false, width: 100 };
    let told: Vec<String> =
        of_tasks().iter().map(|finding| render_finding(finding, &sources, options)).collect();
    insta::assert_snapshot!(told.join("\n"));
}
