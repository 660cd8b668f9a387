//! The report as HTML: what is in it, that nothing of a test's gets out of its place, and
//! that it works in a browser.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use scraper::{ElementRef, Html, Selector};
use serde_json::{Value, json};

use crate::support::{Project, wait_until};

/// Ends attributes, elements and scripts, and turns the direction of text.
const HOSTILE: &str = "</script></title></style>\"'><img src=x onerror=alert(1)> <!--\u{1b}[2J\u{7}\u{0}\u{202e} `<b>` &amp;";

fn select<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    page.select(&Selector::parse(selector).expect("it is a selector")).collect()
}

fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Renders a report that is at hand as JSON.
fn rendered(project: &Project, report: &Value) -> String {
    project.write("made.json", report.to_string());
    let finished =
        project.tool().args(&["report", "made.json", "--format", "html", "--output", "made.html"]);
    let finished = finished.run();
    assert!(project.path().join("made.html").exists(), "{finished}");
    project.read("made.html")
}

/// Everything that a page could bring in or run.
fn assert_is_self_contained(page: &Html) {
    assert_eq!(select(page, "script").len(), 2, "the data and the script");
    assert_eq!(select(page, "style").len(), 1);
    assert_eq!(select(page, "img, iframe, object, embed, link, base, [src]").len(), 0);
    for element in select(page, "*") {
        for (name, value) in element.value().attrs() {
            assert!(!name.starts_with("on"), "{name}={value}");
            assert!(name != "href" || value.starts_with('#'), "{name}={value}");
        }
    }
}

/// An empty report with this number of tests.
fn report_of(tests: usize) -> Value {
    let tests: Vec<Value> = (0..tests)
        .map(|number| {
            json!({
                "name": format!("module_{}::tests::case_{number}_holds", number % 40),
                "binary": format!("package-{}::integration", number % 12),
                "outcome": if number % 97 == 0 { "failed" } else { "passed" },
                "duration_ms": number * 7 % 1_000,
                "peak_tasks": number % 9,
                "processes": 1,
                "truncated": false,
            })
        })
        .collect();
    json!({
        "schema_version": 1,
        "tool": { "name": "cargo-concaudit", "version": "0.0.0" },
        "project": { "name": "made", "packages": ["package-0"] },
        "summary": {
            "errors": 0, "warnings": 0, "notes": 0, "suppressed": 0, "tests_run": tests.len(),
            "tests_passed": 0, "tests_failed": 0, "tests_skipped": 0, "tasks": 0, "locks": 0,
            "acquisitions": 0, "drains": 0, "drain_ms": 0, "build_ms": 0, "test_ms": 0,
            "interrupted": false,
        },
        "findings": [],
        "tests": tests,
        "coverage": {
            "instrumented": [], "not_instrumented": [], "truncated_processes": 0,
            "dropped_order_edges": 0, "dropped_stacks": 0, "dropped_tasks": 0, "dropped_holds": 0,
        },
    })
}

fn finding(number: usize, rule: &str, tests: &[String], details: &Value) -> Value {
    let place = |line: usize, label: &str, role: &str| {
        json!({
            "file": format!("src/part_{}.rs", number % 50), "line": line, "column": 5,
            "function": "part::serve", "label": label, "role": role,
        })
    };
    let frame = |depth: usize| {
        json!({
            "function": format!("package::module_{depth}::Service::call::{{{{closure}}}}"),
            "file": format!("src/module_{depth}.rs"), "line": depth + 1, "first_party": depth < 4,
        })
    };
    let frames: Vec<Value> = (0..16).map(frame).collect();
    json!({
        "rule": rule,
        "severity": (["error", "warning", "note"][number % 3]),
        "confidence": "observed",
        "origin": "library",
        "message": format!("task {number} spawned by `part::serve` outlives its test"),
        "fingerprint": format!("{number:016x}"),
        "locations": [place(3, "task spawned here", "primary"), place(9, "it waits here", "secondary")],
        "stacks": [
            { "label": "await stack of the task", "frames": frames },
            { "label": "spawn stack of the task", "frames": frames },
        ],
        "notes": ["held by task 7"],
        "help": "keep the `JoinHandle`, and await it",
        "tests": tests,
        "occurrences": 4,
        "details": details,
    })
}

fn storm() -> Value {
    json!({ "kind": "spawn-storm", "peak": 1, "spawned": 1, "limit": 1 })
}

fn hang() -> Value {
    let party = |who: &str, waits: Value| {
        json!({
            "who": who, "count": 1, "state": "waiting", "for_ms": 3000, "polls": 2,
            "is_told_above": false, "spawned_at": "src/a.rs:1:1", "waits": waits,
        })
    };
    let on = json!([{
        "what": "waits for the end of a task",
        "frames": [{ "function": "a::b", "file": "src/a.rs", "line": 3, "first_party": true }],
        "relation": "held by",
        "on": [party("task 12", json!([]))],
    }]);
    json!({
        "kind": "hung-test", "limit_ms": 4000, "process": {
            "age_ms": 4000, "parties": [party("the test's body", on)], "idle_threads": 2,
            "threads": [{ "name": "main", "os_thread": 7, "does": "waits", "cpu_ms": 4, "frames": [] }],
            "locks": [{ "lock": "std Mutex", "holder": "task 12", "held_ms": 9, "taken_at": "src/a.rs:3" }],
            "is_still": true,
        },
    })
}

fn deadlock() -> Value {
    let party = json!({
        "who": "task 12", "spawned_at": "src/a.rs:1", "holds": "std Mutex", "held_ms": 5,
        "is_granted": false, "waits_for": "tokio Mutex", "operation": "Mutex::lock", "waited_ms": 4,
    });
    json!({ "kind": "deadlock", "parties": [party.clone(), party], "behind": 1 })
}

/// 200 locks with 400 orders, of which two make a cycle that a finding has.
fn lock_graph() -> (Value, Value) {
    let locks: Vec<String> = (0..200)
        .map(|number| format!("std Mutex created at src/shard_{}.rs:{number}:9", number / 8))
        .collect();
    let order = |from: usize, to: usize| json!({ "from": from, "to": to, "held_at": "src/a.rs:1", "taken_at": "src/b.rs:2", "tests": 3 });
    let mut orders: Vec<Value> = (0..199).map(|from| order(from, from + 1)).collect();
    orders.extend((0..190).map(|from| order(from, from + 2 + from % 8)));
    orders.push(order(1, 0));
    let cycle = json!({
        "kind": "lock-order-cycle", "locks": [locks[0], locks[1]], "on_instances": true,
        "confirmed_in": null,
    });
    (json!({ "locks": locks, "orders": orders }), cycle)
}

/// 10,000 tests, 1,000 findings, 200 locks.
fn large() -> Value {
    let mut report = report_of(10_000);
    let names: Vec<String> = report["tests"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|test| {
            format!("{} {}", test["binary"].as_str().unwrap(), test["name"].as_str().unwrap())
        })
        .collect();
    let (graph, cycle) = lock_graph();
    let findings: Vec<Value> = (0..1_000)
        .map(|number| {
            let tests = &names[number * 9..number * 9 + 1 + number % 40];
            match number {
                0 => finding(number, "lock-order-cycle", tests, &cycle),
                1 => finding(number, "deadlock", tests, &deadlock()),
                3 => finding(number, "hung-test", tests, &hang()),
                _ => {
                    finding(number, ["spawn-storm", "lingering-task"][number % 2], tests, &storm())
                }
            }
        })
        .collect();
    report["findings"] = findings.into();
    report["lock_graph"] = graph;
    report
}

/// Fifty files for the excerpts.
fn write_sources(project: &Project) {
    for number in 0..50 {
        let lines: Vec<String> = (1..20)
            .map(|line| format!("    let value_{line} = serve(<T>::new({line})).await;\n"))
            .collect();
        project.write(&format!("src/part_{number}.rs"), lines.concat());
    }
}

#[test]
fn a_run_as_html_has_the_finding_with_its_place_and_source() {
    let project = Project::of_threads();
    project.tool().args(&["--report", "html=report.html"]).run().assert_code(1);
    let page = Html::parse_document(&project.read("report.html"));
    assert_is_self_contained(&page);
    let findings = select(&page, "article.finding.warning.open[data-rule=leaked-thread]");
    assert_eq!(findings.len(), 1);
    let of = |selector: &str| text(select(&page, &format!("article.warning.open {selector}"))[0]);
    assert_eq!(of(".rule"), "leaked-thread");
    assert_eq!(of(".where"), "src/lib.rs:11");
    assert_eq!(of(".line.primary .no"), "11");
    assert_eq!(of(".line.primary mark"), "std::thread::spawn(rest)");
    assert!(of(".tests").contains("threads tests::both"));
    let anchor = findings[0].value().id().expect("it has one");
    assert_eq!(select(&page, &format!("a[href='#{anchor}']")).len(), 1);
    assert_eq!(select(&page, "article.suppressed").len(), 1);
}

/// All text but that which is one of a few words.
fn poison(value: &mut Value, key: &str) {
    match value {
        Value::String(_)
            if ["severity", "confidence", "origin", "role", "kind", "outcome"].contains(&key) => {}
        Value::String(text) => *text = format!("{HOSTILE}{text}"),
        Value::Array(all) => all.iter_mut().for_each(|value| poison(value, key)),
        Value::Object(all) => all.iter_mut().for_each(|(key, value)| poison(value, key)),
        _ => {}
    }
}

#[test]
fn what_a_test_is_called_stays_text() {
    let project = Project::with_lib("");
    let mut report = report_of(3);
    let (graph, cycle) = lock_graph();
    let tests = ["package-0::integration module_0::tests::case_0_holds".to_owned()];
    report["findings"] = json!([
        finding(0, "lock-order-cycle", &tests, &cycle),
        finding(1, "deadlock", &tests, &deadlock()),
        finding(2, "hung-test", &tests, &hang()),
    ]);
    report["lock_graph"] = graph;
    poison(&mut report, "");
    let html = rendered(&project, &report);
    for forbidden in ['\u{0}', '\u{7}', '\u{1b}', '\u{202e}'] {
        assert!(!html.contains(forbidden), "{forbidden:?}");
    }
    let page = Html::parse_document(&html);
    assert_is_self_contained(&page);
    assert_eq!(select(&page, "article.finding").len(), 3);
    assert!(text(select(&page, ".msg")[0]).contains("<img src=x onerror=alert(1)>"));
    let data = select(&page, "script#data")[0].text().collect::<String>();
    let data: Value = serde_json::from_str(&data).expect("the data is JSON");
    assert_eq!(data["tests"].as_array().map(Vec::len), Some(3));
    assert_eq!(data["findings"][0].as_array().map(Vec::len), Some(0), "of no test by that name");
}

#[test]
fn ten_thousand_tests_and_a_thousand_findings_fit_in_ten_megabytes() {
    let project = Project::with_lib("");
    write_sources(&project);
    let html = rendered(&project, &large());
    assert!(html.len() < 10_000_000, "{} bytes", html.len());
    let page = Html::parse_document(&html);
    assert_is_self_contained(&page);
    assert_eq!(select(&page, "article.finding").len(), 1_000);
    assert_eq!(select(&page, "#lock-graph .node").len(), 200);
    assert_eq!(select(&page, "#lock-graph .edge.cycle").len(), 2);
    assert_eq!(select(&page, "#lock-graph .node.cycle").len(), 2);
    assert!(text(select(&page, ".tree .party")[0]).contains("the test's body"));
    assert_eq!(select(&page, "article[data-rule=deadlock] .ring li").len(), 2);
}

/// What a user would do, by which each thing is checked; it ends as text in the page.
const CLICKS: &str = r##"
<script>
(async () => {
  const result = {}, at = (id) => document.getElementById(id);
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const shown = () => Array.from(document.querySelectorAll("#findings > .finding")).filter((it) => !it.hidden).length;
  const press = (key, target) => (target || document.body).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const set = async (field, value, event) => { field.value = value; field.dispatchEvent(new Event(event)); await pause(300); };
  try {
    result.all = shown();
    document.querySelector(".of-rule[data-rule=deadlock]").click();
    result.rule = shown();
    press("Escape");
    result.cleared = shown();
    await set(at("search"), "000000000000004d", "input");
    result.searched = shown();
    press("Escape");
    await set(at("by-test"), "case_9_holds", "input");
    result.of_test = shown();
    press("Escape");
    await set(at("by-package"), "package-3", "change");
    result.of_package = shown();
    press("Escape");
    document.querySelector(".by-severity[value=error]").click();
    result.without_errors = shown();
    press("Escape");
    press("j"); press("j");
    result.current = document.querySelector(".current").dataset.n;
    press("k");
    result.back = document.querySelector(".current").dataset.n;
    press("/");
    result.focus = document.activeElement.id;
    at("search").blur();
    press("?");
    result.keys = at("keys").open;
    at("keys").close();
    location.hash = "#f-00000000000000aa";
    await pause(300);
    result.linked = document.querySelector(".current").dataset.n;
    result.unfolded = document.querySelector(".current details").open;
    await set(at("lock-search"), "shard_3.rs", "input");
    result.locks = document.querySelectorAll("#lock-graph .node.found").length;
    at("lock-cycles").click();
    result.cycle = Array.from(document.querySelectorAll("#lock-graph .node")).filter((it) => getComputedStyle(it).display !== "none").length;
    result.tests = document.querySelectorAll("#test-list tbody tr").length;
    at("more-tests").click();
    result.more = document.querySelectorAll("#test-list tbody tr").length;
    await set(at("test-search"), "case_123_holds", "input");
    result.test = document.querySelectorAll("#test-list tbody tr").length;
    result.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  } catch (error) { result.error = String(error); }
  const pre = document.createElement("pre");
  pre.id = "result";
  pre.textContent = JSON.stringify(result);
  document.body.append(pre);
})();
</script>
"##;

/// A Chromium that runs, by its name.
fn browser() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].into_iter().find_map(
        |name| {
            let output = Command::new(name).arg("--version").stdin(Stdio::null()).output().ok()?;
            output.status.success().then(|| name.into())
        },
    )
}

#[test]
fn the_page_filters_searches_and_answers_to_keys_in_a_browser() {
    let Some(browser) = browser() else {
        eprintln!("skipped: there is no Chromium to open the report with");
        return;
    };
    let project = Project::with_lib("");
    write_sources(&project);
    let html = rendered(&project, &large());
    project.write("clicks.html", html + CLICKS);
    for width in ["1280,900", "390,800"] {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let out = fs_err::File::create(folder.path().join("dom")).expect("it is ours");
        let mut child = Command::new(&browser)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--virtual-time-budget=20000", "--dump-dom"])
            .arg(format!("--window-size={width}"))
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg(format!("file://{}", project.path().join("clicks.html").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::from(out.into_parts().0))
            .stderr(Stdio::null())
            .spawn()
            .expect("it has just run");
        wait_until("the browser ends", Duration::from_secs(300), || {
            child.try_wait().expect("it is ours")
        });
        let dom = fs_err::read_to_string(folder.path().join("dom")).expect("it is ours");
        let page = Html::parse_document(&dom);
        let result = select(&page, "pre#result");
        let result = result.first().map(|element| text(*element));
        let result =
            result.unwrap_or_else(|| panic!("the script did not end, of {} bytes", dom.len()));
        let result: Value = serde_json::from_str(&result).expect("it is JSON");
        let expected = json!({
            "all": 1_000, "rule": 1, "cleared": 1_000, "searched": 1, "of_test": 1,
            "of_package": result["of_package"], "without_errors": 666,
            "current": "1", "back": "0", "focus": "search", "keys": true,
            "linked": "170", "unfolded": true, "locks": 8, "cycle": 2, "tests": 100, "more": 200,
            "test": 1, "wide": false,
        });
        assert_eq!(result, expected, "at {width}");
        let of_package = result["of_package"].as_u64().expect("a number");
        assert!((1..1_000).contains(&of_package), "{of_package}");
    }
}
