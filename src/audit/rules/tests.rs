use super::super::KeySlot;
use super::super::user::Password;
use super::*;

const NOW: i64 = 2_000_000_000;

fn ago(seconds: i64) -> Moment {
    Moment::At(Timestamp::from_second(NOW - seconds).unwrap())
}

fn judge(benchmark: Benchmark) -> Judge {
    Judge {
        benchmark,
        limits: benchmark.limits(),
        as_of: Timestamp::from_second(NOW).unwrap(),
        exemptions: Exemptions::default(),
    }
}

fn key(active: Option<bool>, created: Moment, last_used: Moment) -> Key {
    Key {
        slot: Some(KeySlot::One),
        id: None,
        active,
        created,
        last_used,
    }
}

fn user(keys: [Key; 2]) -> User<'static> {
    User {
        name: "ann",
        arn: "arn:aws:iam::123456789012:user/ann",
        is_root: false,
        created: ago(400 * SECONDS_A_DAY),
        password: Password {
            enabled: Some(false),
            last_used: Moment::Never,
            last_changed: Moment::Never,
        },
        keys,
    }
}

/// The outcomes of one rule, with the words.
fn told(user: &User<'_>, rule: Rule) -> Vec<(Outcome, String)> {
    let judge = judge(Benchmark::default());
    let mut told = Vec::new();
    judge.verdicts(user, |verdict| {
        if verdict.rule == rule {
            told.push((
                verdict.outcome,
                judge.finding(user, verdict, &[]).why.into_owned(),
            ));
        }
    });
    told
}

fn outcome(user: &User<'_>, rule: Rule) -> Outcome {
    let told = told(user, rule);
    assert_eq!(told.len(), 1, "{told:?}");
    told[0].0
}

#[test]
fn a_key_of_ninety_days_passes_and_a_second_more_fails() {
    let aged = |seconds| user([key(Some(true), ago(seconds), ago(0)), Key::NONE]);
    assert_eq!(
        outcome(&aged(90 * SECONDS_A_DAY), Rule::KeyRotation),
        Outcome::Pass
    );
    assert_eq!(
        told(&aged(90 * SECONDS_A_DAY + 1), Rule::KeyRotation),
        [(
            Outcome::Fail,
            "the key is 90 days 0:00:01 old, the limit is 90 days".into()
        )]
    );
    assert_eq!(outcome(&aged(-5), Rule::KeyRotation), Outcome::Pass);
}

#[test]
fn forty_five_days_of_disuse_fail_and_a_second_less_passes() {
    let unused = |seconds| user([key(Some(true), ago(80 * SECONDS_A_DAY), ago(seconds)), Key::NONE]);
    let rule = Rule::UnusedCredentials;
    assert_eq!(outcome(&unused(45 * SECONDS_A_DAY), rule), Outcome::Fail);
    assert_eq!(outcome(&unused(45 * SECONDS_A_DAY - 1), rule), Outcome::Pass);
    let never = user([
        key(Some(true), ago(200 * SECONDS_A_DAY), Moment::Never),
        Key::NONE,
    ]);
    assert_eq!(
        told(&never, rule),
        [(
            Outcome::Fail,
            "the key has no recorded use in its 200 days, the limit is 45 days".into()
        )]
    );
}

#[test]
fn an_inactive_key_is_judged_by_no_rule() {
    let old = key(Some(false), ago(900 * SECONDS_A_DAY), Moment::Never);
    let mut user = user([old.clone(), old]);
    user.password.enabled = Some(true);
    user.password.last_used = ago(1);
    let mut rules = Vec::new();
    judge(Benchmark::default()).verdicts(&user, |verdict| rules.push((verdict.rule, verdict.outcome)));
    assert_eq!(
        rules,
        [
            (Rule::UnusedCredentials, Outcome::Pass),
            (Rule::OneActiveKey, Outcome::Pass)
        ]
    );
}

#[test]
fn what_is_not_said_is_unknown_unless_both_answers_agree() {
    let rule = Rule::UnusedCredentials;
    let of = |last_used, created| outcome(&user([key(Some(true), created, last_used), Key::NONE]), rule);
    assert_eq!(of(Moment::Unknown, ago(44 * SECONDS_A_DAY)), Outcome::Pass);
    assert_eq!(of(Moment::Unknown, ago(45 * SECONDS_A_DAY)), Outcome::Unknown);
    assert_eq!(of(Moment::Never, Moment::Unknown), Outcome::Unknown);
    assert_eq!(of(Moment::Never, Moment::Never), Outcome::Unknown);
    let unsaid = user([
        key(None, ago(1), ago(1)),
        key(Some(true), ago(1), Moment::Unknown),
    ]);
    assert_eq!(outcome(&unsaid, Rule::OneActiveKey), Outcome::Unknown);
    assert_eq!(told(&unsaid, Rule::KeyRotation)[0].0, Outcome::Unknown);
    assert_eq!(told(&unsaid, Rule::KeyRotation)[1].0, Outcome::Pass);
}

#[test]
fn a_password_that_was_perhaps_changed_since_is_unknown_once_it_could_fail() {
    let mut user = user([Key::NONE, Key::NONE]);
    let then = |days: i64| Moment::NotBefore(Timestamp::from_second(NOW - days * SECONDS_A_DAY).unwrap());
    user.password = Password {
        enabled: Some(true),
        last_used: Moment::Never,
        last_changed: then(44),
    };
    assert_eq!(outcome(&user, Rule::UnusedCredentials), Outcome::Pass);
    user.password.last_changed = then(45);
    assert_eq!(outcome(&user, Rule::UnusedCredentials), Outcome::Unknown);
    user.password.last_used = ago(46 * SECONDS_A_DAY);
    assert_eq!(outcome(&user, Rule::UnusedCredentials), Outcome::Fail);
    user.password.enabled = None;
    assert_eq!(outcome(&user, Rule::UnusedCredentials), Outcome::Unknown);
}

#[test]
fn a_key_never_used_fails_for_a_console_user_only() {
    let mut user = user([
        key(Some(true), ago(400 * SECONDS_A_DAY), Moment::Never),
        Key::NONE,
    ]);
    assert_eq!(told(&user, Rule::KeyAtSetup), []);
    user.password.enabled = Some(true);
    assert_eq!(
        told(&user, Rule::KeyAtSetup),
        [(
            Outcome::Fail,
            "made together with a console user, and no use is recorded".into()
        )]
    );
    user.keys[0].created = ago(1);
    assert_eq!(outcome(&user, Rule::KeyAtSetup), Outcome::Fail);
    user.keys[0].last_used = ago(1);
    assert_eq!(outcome(&user, Rule::KeyAtSetup), Outcome::Pass);
}

#[test]
fn root_is_judged_for_its_keys_alone() {
    let mut root = user([key(Some(true), ago(91 * SECONDS_A_DAY), Moment::Never), Key::NONE]);
    root.is_root = true;
    root.password.enabled = None;
    let outcomes = |user: &User<'_>| {
        let mut outcomes = Vec::new();
        judge(Benchmark::default()).verdicts(user, |verdict| outcomes.push((verdict.rule, verdict.outcome)));
        outcomes
    };
    assert_eq!(
        outcomes(&root),
        [
            (Rule::RootAccessKey, Outcome::Fail),
            (Rule::KeyRotation, Outcome::Fail)
        ]
    );
    root.keys[0].active = Some(false);
    assert_eq!(outcomes(&root), [(Rule::RootAccessKey, Outcome::Pass)]);
    root.keys[0].active = None;
    assert_eq!(outcomes(&root)[0], (Rule::RootAccessKey, Outcome::Unknown));
}

#[test]
fn a_benchmark_judges_by_its_own_rules_alone() {
    let user = user([
        key(Some(true), ago(0), ago(0)),
        key(Some(true), ago(0), ago(50 * SECONDS_A_DAY)),
    ]);
    let mut rules = Vec::new();
    judge(Benchmark::Fsbp).verdicts(&user, |verdict| rules.push((verdict.rule, verdict.outcome)));
    assert_eq!(
        rules,
        [
            (Rule::UnusedCredentials, Outcome::Pass),
            (Rule::UnusedCredentials, Outcome::Pass),
            (Rule::KeyRotation, Outcome::Pass),
            (Rule::KeyRotation, Outcome::Pass)
        ]
    );
}

#[test]
fn an_exemption_lets_a_failure_be_until_it_ends() {
    let user = user([key(Some(true), ago(91 * SECONDS_A_DAY), ago(0)), Key::NONE]);
    let mut judge = judge(Benchmark::default());
    let finding = |judge: &Judge| {
        let mut whys = Vec::new();
        judge.verdicts(&user, |verdict| {
            if verdict.rule == Rule::KeyRotation {
                let finding = judge.finding(&user, verdict, &[]);
                whys.push((
                    finding.result,
                    finding.is_breach(),
                    finding.why.clone().into_owned(),
                ));
            }
        });
        whys.remove(0)
    };
    let file = |until: &str| {
        Exemptions::parse(&format!("[user a*]\nowner = bob\nreason = r\nuntil = {until}\n")).unwrap()
    };
    judge.exemptions = file("2033-05-18");
    assert_eq!(
        finding(&judge),
        (
            Outcome::Fail,
            false,
            "the key is 91 days old, the limit is 90 days".into()
        )
    );
    judge.exemptions = file("2033-05-17");
    assert_eq!(
        finding(&judge),
        (
            Outcome::Fail,
            true,
            "the key is 91 days old, the limit is 90 days; bob's exemption ended on 2033-05-17".into()
        )
    );
}
