//! `keyagent policy remediate` is enough, and not one action too much.

use serde_json::Value;

use super::{Scene, YES, policy};
use crate::support::section;

/// Disables, puts back, disables and deletes a fresh user's key; gives whether each step went well.
fn everything(scene: &Scene, name: &str) -> bool {
    let user = scene.account.user(name);
    let id = user.access_key_id.as_str();
    ["disable", "enable", "disable", "delete"]
        .iter()
        .all(|verb| scene.key(verb, name, id, YES).code == 0)
}

#[test]
fn it_is_enough_and_each_action_is_needed() {
    let scene = Scene::new();
    let printed = scene.home.keyagent(&["policy", "remediate"]).exits(0);
    assert_eq!(printed.json(), policy());
    assert!(everything(&scene, "whole"));
    let actions = policy()["Statement"][0]["Action"].as_array().unwrap().clone();
    for action in &actions {
        let mut less = policy();
        let left: Vec<Value> = actions.iter().filter(|other| *other != action).cloned().collect();
        less["Statement"][0]["Action"] = Value::Array(left);
        let name = action.as_str().unwrap().replace("iam:", "no");
        let admin = scene.account.user_with_policy(&name, &less);
        scene.home.write_credentials(section("admin", &admin));
        assert!(
            !everything(&scene, &format!("user-{name}")),
            "{action} is not needed"
        );
    }
}
