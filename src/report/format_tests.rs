//! Each format beside the standard that it follows, with a finding of every rule, and with
//! names that mean mischief.

use openmetrics_parser::openmetrics;
use serde_json::Value;

use super::{
    Context, Format,
    human::{
        HumanOptions,
        tests::{lingering_task, report_of_every_rule, sources, suppression},
    },
    summary::Report,
};
use crate::finding::{BaselineState, Finding, Severity};

/// What a test may be called, and a panic may say.
const MISCHIEF: &str =
    "a\u{1b}[31m]]></x>\"'&<script>|`*_\\\n::error::%0A\u{0}\u{202e}\u{7}\r\n# EOF\n-->";

fn hostile() -> Report {
    let mut report = report_of_every_rule();
    for finding in &mut report.findings {
        for text in [&mut finding.message, &mut finding.help] {
            text.push_str(MISCHIEF);
        }
        finding.notes.push(MISCHIEF.to_owned());
        finding.tests.push(MISCHIEF.to_owned());
        for place in &mut finding.locations {
            place.function.push_str(MISCHIEF);
            place.label.push_str(MISCHIEF);
        }
    }
    report.project.name.push_str(MISCHIEF);
    for test in &mut report.tests {
        test.name.push_str(MISCHIEF);
        test.binary.push_str(MISCHIEF);
    }
    report
}

fn reports() -> [Report; 2] {
    [report_of_every_rule(), hostile()]
}

fn rendered(report: &Report, format: Format) -> String {
    let human = HumanOptions { color: false, verbose: false, width: 100 };
    let fails = |finding: &Finding| finding.severity > Severity::Note;
    let context = Context { sources: &sources, human, fails: &fails };
    format.render(report, context).expect("a report has a form in every format")
}

fn json(report: &Report, format: Format) -> Value {
    serde_json::from_str(&rendered(report, format)).expect("it is JSON")
}

/// The schema of the standard, as a published crate has it.
fn sarif_schema() -> Value {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .exec()
        .expect("our own manifest is fine");
    let package = metadata.packages.iter().find(|package| package.name.as_str() == "serde-sarif");
    let manifest = &package.expect("it is a dependency").manifest_path;
    let schema = manifest.with_file_name("src").join("schema.json");
    let text = fs_err::read_to_string(schema).expect("the package has it");
    let mut schema: Value = serde_json::from_str(&text).expect("it is JSON");
    // The pattern of a language has a bracket too many, and is no regular expression.
    for definition in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][definition]["properties"]["language"];
        language.as_object_mut().expect("it has it").remove("pattern");
    }
    schema
}

#[test]
fn sarif_is_what_the_standard_says() {
    let schema = jsonschema::validator_for(&sarif_schema()).expect("it is a schema");
    for mut report in reports() {
        report.findings[0].suppressed = vec![suppression()];
        report.findings[1].baseline = Some(BaselineState::Known);
        report.summary.exit_code = Some(1);
        let log = json(&report, Format::Sarif);
        let errors: Vec<String> = schema
            .iter_errors(&log)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let run = &log["runs"][0];
        let results = run["results"].as_array().expect("there are some");
        assert_eq!(results.len(), report.findings.len());
        for (result, finding) in results.iter().zip(&report.findings) {
            let index = result["ruleIndex"].as_u64().expect("each is of a rule") as usize;
            assert_eq!(run["tool"]["driver"]["rules"][index]["id"], finding.rule.as_str());
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["region"]["startLine"], finding.locations[0].line);
            let stacks = finding
                .stacks
                .iter()
                .filter(|stack| stack.frames.iter().any(|frame| frame.file.is_some()));
            let flows = result["codeFlows"][0]["threadFlows"].as_array();
            assert_eq!(flows.map_or(0, Vec::len), stacks.count(), "{}", finding.rule);
        }
        assert_eq!(results[0]["suppressions"][0]["kind"], "inSource");
        assert_eq!(results[1]["baselineState"], "unchanged");
        assert_eq!(run["invocations"][0]["exitCode"], 1);
    }
}

#[test]
fn paths_are_those_of_the_repository() {
    let mut report = report_of_every_rule();
    report.findings = vec![lingering_task()];
    report.project.folder = "server side".to_owned();
    let log = json(&report, Format::Sarif);
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "server%20side/src/client.rs");
    let issues = json(&report, Format::Gitlab);
    assert_eq!(issues[0]["location"]["path"], "server side/src/client.rs");
    let commands = rendered(&report, Format::Github);
    assert!(commands.contains("file=server side/src/client.rs,line="), "{commands}");
}

#[test]
fn junit_is_xml_with_a_case_for_each_test_and_finding() {
    for report in reports() {
        let text = rendered(&report, Format::Junit);
        let mut reader = quick_xml::Reader::from_str(&text);
        reader.config_mut().check_end_names = true;
        let (mut cases, mut failures) = (0, 0);
        loop {
            match reader.read_event().unwrap_or_else(|error| panic!("{error}\n{text}")) {
                quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                    match tag.name().as_ref() {
                        b"testcase" => cases += 1,
                        b"failure" => failures += 1,
                        _ => {}
                    }
                }
                quick_xml::events::Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(cases, report.tests.len() + report.findings.len());
        let fails = |finding: &&Finding| finding.severity > Severity::Note;
        assert!(failures >= report.findings.iter().filter(fails).count());
    }
}

#[test]
fn a_workflow_command_is_one_line_whatever_a_finding_says() {
    for report in reports() {
        let text = rendered(&report, Format::Github);
        let shown = report.findings.iter().filter(|it| it.severity > Severity::Note).count();
        assert_eq!(text.lines().count(), shown, "{text}");
        for line in text.lines() {
            assert!(line.starts_with("::error ") || line.starts_with("::warning "), "{line}");
        }
    }
    insta::assert_snapshot!("github", rendered(&report_of_every_rule(), Format::Github));
}

#[test]
fn a_code_quality_report_has_distinct_fingerprints() {
    for report in reports() {
        let issues = json(&report, Format::Gitlab);
        let issues = issues.as_array().expect("it is a list");
        let mut fingerprints: Vec<&str> =
            issues.iter().filter_map(|issue| issue["fingerprint"].as_str()).collect();
        fingerprints.sort_unstable();
        fingerprints.dedup();
        let mut causes: Vec<_> =
            report.findings.iter().map(|it| (&it.rule, &it.fingerprint)).collect();
        causes.sort_unstable();
        causes.dedup();
        assert_eq!(fingerprints.len(), causes.len());
        for issue in issues {
            assert!(issue["location"]["lines"]["begin"].is_u64(), "{issue}");
        }
    }
}

#[test]
fn editors_read_findings_as_messages_of_the_compiler() {
    for report in reports() {
        let text = rendered(&report, Format::CompilerMessage);
        let messages: Vec<cargo_metadata::Message> =
            cargo_metadata::Message::parse_stream(text.as_bytes())
                .collect::<Result<_, _>>()
                .expect("cargo's own form");
        assert_eq!(messages.len(), report.findings.len());
        for (message, finding) in messages.iter().zip(&report.findings) {
            let cargo_metadata::Message::CompilerMessage(message) = message else {
                panic!("{message:?}");
            };
            let code = message.message.code.as_ref().map(|code| code.code.as_str());
            assert_eq!(code, Some(finding.rule.as_str()));
            for span in &message.message.spans {
                let source = sources(&span.file_name).expect("it was read");
                let meant = &source[span.byte_start as usize..span.byte_end as usize];
                assert!(!meant.is_empty() && !meant.contains('\n'), "{meant:?}");
            }
        }
    }
}

#[test]
fn dashboards_can_parse_the_metrics() {
    for report in reports() {
        let text = rendered(&report, Format::Openmetrics);
        let exposition =
            openmetrics::parse_openmetrics(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(exposition.families.contains_key("concaudit_findings"), "{text}");
        assert!(exposition.families.contains_key("concaudit_test_duration_seconds"), "{text}");
    }
    insta::assert_snapshot!("openmetrics", rendered(&report_of_every_rule(), Format::Openmetrics));
}

#[test]
fn markdown_lets_nothing_out_of_its_place() {
    insta::assert_snapshot!("markdown", rendered(&report_of_every_rule(), Format::Markdown));
    let text = rendered(&hostile(), Format::Markdown);
    let table = text.lines().filter(|line| line.starts_with('|'));
    for row in table {
        let bars = row.replace("\\|", "").matches('|').count();
        assert_eq!(bars, 5, "{row}");
    }
    // Outside of the fences no tag of a finding's is one of ours.
    let mut fence: Option<String> = None;
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|letter| *letter == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => assert!(!line.contains("<script>"), "{line}"),
        }
    }
    assert_eq!(fence, None);
}

#[test]
fn markdown_fits_a_comment() {
    let mut report = report_of_every_rule();
    let findings = report.findings.clone();
    report.findings = findings.iter().cycle().take(1_000).cloned().collect();
    let text = rendered(&report, Format::Markdown);
    assert!(text.len() < 65_536, "{}", text.len());
    assert!(text.contains("findings in the whole report only"), "{}", &text[text.len() - 200..]);
}
