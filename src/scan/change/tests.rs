use super::*;
use crate::scan::Scanner;
use crate::scan::own_keys::OwnKeys;

fn id(last: char) -> String {
    format!("{}{last}", ["AK", "IAY34FZKBOKMUTVV7"].concat())
}

fn secret(last: char) -> String {
    format!(
        "{}{last}",
        ["q7Rk2ZpXv9LmT4sWb8Nc", "Y3hDf6Gj/J1a+E5uKoQ"].concat()
    )
}

fn groups(files: &[(&str, String)]) -> Vec<(Rule, usize)> {
    let mut change = Change::default();
    for (path, text) in files {
        change.add(path, Scanner::new(OwnKeys::none()).bytes(text.as_bytes()));
    }
    change
        .finish()
        .iter()
        .map(|finding| (finding.rule, finding.group))
        .collect()
}

const ID: Rule = Rule::AccessKeyId;
const SECRET: Rule = Rule::SecretAccessKey;

#[test]
fn both_halves_of_a_key_are_one_group() {
    let text = format!("[default]\nkey = {}\nvalue = {}\n", id('A'), secret('A'));
    assert_eq!(groups(&[("a", text)]), [(ID, 1), (SECRET, 1)]);
}

#[test]
fn several_keys_in_a_file_in_either_order() {
    let ids_first = format!("{}\n{}\n{}\n{}\n", id('A'), secret('A'), id('B'), secret('B'));
    assert_eq!(
        groups(&[("a", ids_first)]),
        [(ID, 1), (SECRET, 1), (ID, 2), (SECRET, 2)]
    );
    let secrets_first = format!("{}\n{}\n{}\n{}\n", secret('A'), id('A'), secret('B'), id('B'));
    assert_eq!(
        groups(&[("a", secrets_first)]),
        [(SECRET, 1), (ID, 1), (SECRET, 2), (ID, 2)]
    );
}

#[test]
fn at_any_distance_and_across_files() {
    let far = format!("{}{}{}", id('A'), "\n".repeat(5000), secret('A'));
    assert_eq!(groups(&[("a", far)]), [(ID, 1), (SECRET, 1)]);
    assert_eq!(
        groups(&[
            ("a", id('A')),
            ("b", secret('A')),
            ("c", id('B')),
            ("d", secret('B'))
        ]),
        [(ID, 1), (SECRET, 1), (ID, 2), (SECRET, 2)]
    );
    assert_eq!(
        groups(&[("a", format!("{}\n{}", id('A'), secret('A'))), ("b", secret('A'))]),
        [(ID, 1), (SECRET, 1), (SECRET, 1)]
    );
}

#[test]
fn what_nothing_names_counts_only_with_a_key_id() {
    assert_eq!(groups(&[("a", secret('A'))]), []);
    assert_eq!(groups(&[("a", secret('A')), ("b", "words".to_owned())]), []);
    assert_eq!(
        groups(&[("a", secret('A')), ("b", id('A'))]),
        [(SECRET, 1), (ID, 1)]
    );
}

#[test]
fn what_the_old_side_had_is_not_new() {
    let scanner = Scanner::new(OwnKeys::none());
    let text = format!("{}\n{}\n", id('A'), secret('A'));
    let mut change = Change::default();
    change.add("a", scanner.bytes(text.as_bytes()));
    change.old_side(scanner.bytes(secret('A').as_bytes()));
    let found = change.finish();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule, ID);
}

#[test]
fn what_lies_in_something_else_is_told_with_its_path() {
    let mut content = Scanner::new(OwnKeys::none()).bytes(id('A').as_bytes());
    content.candidates[0].finding.path = "b/c".to_owned();
    let mut change = Change::default();
    change.add("a.zip", content);
    assert_eq!(change.finish()[0].path, "a.zip!b/c");
}
