//! Which renderers there are, and what they are given.

use super::{
    compiler_message, github, gitlab, html,
    human::{self, HumanOptions},
    json, junit, markdown, openmetrics, sarif,
    source::SourceProvider,
    summary::Report,
};
use crate::finding::{Finding, Severity};

/// A renderer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a terminal
    Human,
    /// One file with pictures, for a browser
    Html,
    /// For machines; `cargo concaudit schema` describes it
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// `JUnit` XML: the tests, and the findings as a suite of their own
    Junit,
    /// GitHub's workflow commands, which annotate lines
    Github,
    /// GitLab's code quality report
    Gitlab,
    /// For a comment or a job summary
    Markdown,
    /// Cargo's `compiler-message` lines, for editors
    CompilerMessage,
    /// `OpenMetrics` text, for dashboards
    Openmetrics,
}

/// What a renderer needs beside the report.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The source text, for excerpts.
    pub sources: &'a dyn SourceProvider,
    /// How text for people is to look.
    pub human: HumanOptions,
    /// Whether a finding fails the run.
    pub fails: &'a dyn Fn(&Finding) -> bool,
}

impl Context<'_> {
    /// Whether a finding is shown where there is no room for all of them.
    pub fn shows(&self, finding: &Finding) -> bool {
        finding.counts()
            && (finding.severity > Severity::Note || self.human.verbose || (self.fails)(finding))
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("human", &self.human).finish_non_exhaustive()
    }
}

/// A report that has no form in a format.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// In JSON, or in one of the formats that are JSON.
    #[error("failed to write the report as JSON")]
    Json(#[from] serde_json::Error),
    /// In XML.
    #[error("failed to write the report as XML")]
    Xml(#[from] quick_junit::SerializeError),
}

impl Format {
    /// The report in this format, with a newline at its end.
    pub fn render(self, report: &Report, context: Context<'_>) -> Result<String, RenderError> {
        Ok(match self {
            Self::Human => human::render(report, context.sources, context.human),
            Self::Html => html::render(report, context.sources),
            Self::Json => json::render(report)?,
            Self::Sarif => sarif::render(report)?,
            Self::Junit => junit::render(report, context)?,
            Self::Github => github::render(report, context),
            Self::Gitlab => gitlab::render(report)?,
            Self::Markdown => markdown::render(report, context),
            Self::CompilerMessage => compiler_message::render(report, context)?,
            Self::Openmetrics => openmetrics::render(report),
        })
    }
}
