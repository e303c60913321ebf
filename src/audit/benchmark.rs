//! What each benchmark calls the rules, and which of them it has.
//!
//! Sources: the CIS AWS Foundations Benchmarks, and Security Hub's reference of IAM controls.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Limits, Rule};

/// A catalogue of rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Benchmark {
    /// CIS AWS Foundations Benchmark 1.4
    #[serde(rename = "cis-1.4")]
    #[value(name = "cis-1.4")]
    Cis1_4,
    /// CIS AWS Foundations Benchmark 1.5
    #[serde(rename = "cis-1.5")]
    #[value(name = "cis-1.5")]
    Cis1_5,
    /// CIS AWS Foundations Benchmark 3.0
    #[serde(rename = "cis-3.0")]
    #[value(name = "cis-3.0")]
    Cis3_0,
    /// CIS AWS Foundations Benchmark 4.0
    #[serde(rename = "cis-4.0")]
    #[value(name = "cis-4.0")]
    Cis4_0,
    /// CIS AWS Foundations Benchmark 5.0
    #[serde(rename = "cis-5.0")]
    #[value(name = "cis-5.0")]
    Cis5_0,
    /// CIS AWS Foundations Benchmark 6.0: the newest that has all five rules
    #[default]
    #[serde(rename = "cis-6.0")]
    #[value(name = "cis-6.0")]
    Cis6_0,
    /// CIS AWS Foundations Benchmark 7.0: without key-at-setup and one-active-key
    #[serde(rename = "cis-7.0")]
    #[value(name = "cis-7.0")]
    Cis7_0,
    /// AWS Foundational Security Best Practices: root, rotation, and 90 days unused
    #[serde(rename = "fsbp")]
    #[value(name = "fsbp")]
    Fsbp,
}

impl Benchmark {
    /// `cis-6.0`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cis1_4 => "cis-1.4",
            Self::Cis1_5 => "cis-1.5",
            Self::Cis3_0 => "cis-3.0",
            Self::Cis4_0 => "cis-4.0",
            Self::Cis5_0 => "cis-5.0",
            Self::Cis6_0 => "cis-6.0",
            Self::Cis7_0 => "cis-7.0",
            Self::Fsbp => "fsbp",
        }
    }

    /// `CIS AWS Foundations Benchmark v6.0`.
    pub fn title(self) -> String {
        match self.name().strip_prefix("cis-") {
            Some(version) => format!("CIS AWS Foundations Benchmark v{version}"),
            None => "AWS Foundational Security Best Practices".to_owned(),
        }
    }

    /// The limits that it sets.
    pub fn limits(self) -> Limits {
        Limits {
            max_age_days: 90,
            unused_days: if self == Self::Fsbp { 90 } else { 45 },
        }
    }

    /// Its own number for a rule; `None` when it has no such rule.
    fn number(self, rule: Rule) -> Option<&'static str> {
        let numbers = match self {
            Self::Cis1_4 | Self::Cis1_5 | Self::Cis3_0 | Self::Cis4_0 => [
                Some("1.4"),
                Some("1.11"),
                Some("1.12"),
                Some("1.13"),
                Some("1.14"),
            ],
            Self::Cis5_0 => [
                Some("1.3"),
                Some("1.10"),
                Some("1.11"),
                Some("1.12"),
                Some("1.13"),
            ],
            Self::Cis6_0 => [
                Some("2.3"),
                Some("2.10"),
                Some("2.11"),
                Some("2.12"),
                Some("2.13"),
            ],
            Self::Cis7_0 => [Some("2.4"), None, Some("2.11"), None, Some("2.12")],
            Self::Fsbp => [Some("IAM.4"), None, Some("IAM.8"), None, Some("IAM.3")],
        };
        match rule {
            Rule::RootAccessKey => numbers[0],
            Rule::KeyAtSetup => numbers[1],
            Rule::UnusedCredentials => numbers[2],
            Rule::OneActiveKey => numbers[3],
            Rule::KeyRotation => numbers[4],
        }
    }

    /// Whether it has the rule.
    pub fn has(self, rule: Rule) -> bool {
        self.number(rule).is_some()
    }

    /// What it and Security Hub call the rule: `cis-6.0/2.13`, `IAM.3`. Empty when it has no such rule.
    ///
    /// Security Hub has two controls for unused credentials, which differ in their days.
    pub fn controls(self, rule: Rule, limits: Limits) -> Vec<Cow<'static, str>> {
        let Some(number) = self.number(rule) else {
            return Vec::new();
        };
        let security_hub = match rule {
            Rule::RootAccessKey => Some("IAM.4"),
            Rule::UnusedCredentials if limits.unused_days <= 45 => Some("IAM.22"),
            Rule::UnusedCredentials => Some("IAM.8"),
            Rule::KeyRotation => Some("IAM.3"),
            Rule::KeyAtSetup | Rule::OneActiveKey => None,
        };
        let own = match self {
            Self::Fsbp => None,
            Self::Cis1_4
            | Self::Cis1_5
            | Self::Cis3_0
            | Self::Cis4_0
            | Self::Cis5_0
            | Self::Cis6_0
            | Self::Cis7_0 => Some(Cow::Owned(format!("{}/{number}", self.name()))),
        };
        own.into_iter().chain(security_hub.map(Cow::Borrowed)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controls(benchmark: Benchmark) -> Vec<String> {
        Rule::ALL
            .map(|rule| benchmark.controls(rule, benchmark.limits()).join(" "))
            .to_vec()
    }

    #[test]
    fn every_version_has_its_own_numbers() {
        assert_eq!(
            controls(Benchmark::Cis3_0),
            [
                "cis-3.0/1.4 IAM.4",
                "cis-3.0/1.11",
                "cis-3.0/1.12 IAM.22",
                "cis-3.0/1.13",
                "cis-3.0/1.14 IAM.3"
            ]
        );
        assert_eq!(controls(Benchmark::Cis5_0)[4], "cis-5.0/1.13 IAM.3");
        assert_eq!(
            controls(Benchmark::Cis7_0),
            [
                "cis-7.0/2.4 IAM.4",
                "",
                "cis-7.0/2.11 IAM.22",
                "",
                "cis-7.0/2.12 IAM.3"
            ]
        );
        assert_eq!(controls(Benchmark::Fsbp), ["IAM.4", "", "IAM.8", "", "IAM.3"]);
    }

    #[test]
    fn the_name_is_the_one_of_the_command_line_and_of_the_json() {
        use clap::ValueEnum as _;
        for benchmark in Benchmark::value_variants() {
            let name = benchmark.name();
            assert_eq!(benchmark.to_possible_value().unwrap().get_name(), name);
            assert_eq!(serde_json::to_string(benchmark).unwrap(), format!("\"{name}\""));
        }
    }
}
