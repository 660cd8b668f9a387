//! The whole report.

use super::{
    HumanOptions,
    caveats::{render_caveats, render_cut_off, render_losses},
    render_finding, render_summary,
};
use crate::{
    finding::{Finding, Severity},
    report::{source::SourceProvider, summary::Report},
};

/// The whole report: findings, what limits them, and the verdict as its last
/// line.
pub fn render(report: &Report, sources: &dyn SourceProvider, options: HumanOptions) -> String {
    let mut text = render_losses(report, options);
    for finding in report.findings.iter().filter(|finding| is_shown(finding, options)) {
        text.push_str(&render_finding(finding, sources, options));
        text.push_str("\n\n");
    }
    text.push_str(&render_cut_off(report, options));
    text.push_str(&render_caveats(report, options));
    text.push_str(&render_summary(report, options));
    text
}

/// Notes and what is suppressed are for those who ask.
pub fn is_shown(finding: &Finding, options: HumanOptions) -> bool {
    options.verbose || (finding.severity > Severity::Note && finding.counts())
}
