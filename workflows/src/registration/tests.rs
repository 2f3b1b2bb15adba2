use engine::RunError;
use engine::testing::TestEngine;

use super::*;

/// Services that say yes to everything. What a test says afterwards of a call replaces this.
fn all_well(t: &TestEngine) {
    let account = json!({ "user_id": "alice", "name": "Alice" });
    t.service("user").on_post("/users/*/validate").reply(json!({ "valid": true, "user_info": account }));
    t.service("inventory").on_post("/update").reply(json!({ "updated_items": [] }));
    t.service("inventory").on_post("/release").reply(json!({ "released_items": [] }));
    t.service("notification").on_post("/send").reply(json!({ "notification_id": "ntf_1" }));
    t.service("analytics").on_post("/track").reply(json!({ "event_id": "evt_1" }));
}

/// Registers Alice; whatever comes of it.
async fn register(t: &TestEngine) -> Result<String, RunError> {
    let alice = Registration { user_id: "alice".into(), email: "alice@example.com".into() };
    t.start(&workflow().unwrap(), alice).id("alice").await.unwrap().result().await
}

const ASKED: &str = "user POST /users/alice/validate";
const DONE: [&str; 4] = ["analytics POST /track", "inventory POST /update", "notification POST /send", ASKED];

#[engine::test]
async fn a_user_gets_a_gift_and_is_welcomed(t: TestEngine) {
    all_well(&t);
    assert_eq!(register(&t).await.unwrap(), "ntf_1");
    assert_eq!(t.attempts(), ["check_account", "set_gift_aside", "welcome", "track_registration"]);
    assert_eq!(t.effects_left(), DONE);
    assert_eq!(t.calls()[2].body["data"], json!({ "email": "alice@example.com", "name": "Alice" }));
}

#[engine::test]
async fn a_blocked_account_gets_nothing(t: TestEngine) {
    all_well(&t);
    t.service("user").on_post("/users/*/validate").reply(json!({ "valid": false, "error": "`alice` is blocked" }));
    let RunError::Failed { failure: Some(failure), .. } = register(&t).await.unwrap_err() else { panic!() };
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("ACCOUNT_REFUSED", "`alice` is blocked"));
    assert_eq!(t.attempts(), ["check_account"]);
}

#[engine::test]
async fn a_gift_for_a_user_who_could_not_be_welcomed_is_returned(t: TestEngine) {
    all_well(&t);
    t.service("notification").on_post("/send").fail(422);
    let error = register(&t).await.unwrap_err();
    assert!(matches!(error, RunError::Compensated { .. }), "{error}");
    assert_eq!(t.undone(), ["set_gift_aside"]);
    assert_eq!(t.effects_left(), [ASKED]);
    assert_eq!(t.calls().last().unwrap().body, json!({ "order_id": "gift-alice" }));
}

#[engine::test]
async fn a_gift_of_which_nobody_knows_is_returned(t: TestEngine) {
    all_well(&t);
    t.service("inventory").on_post("/update").fail(500);
    let error = register(&t).await.unwrap_err();
    assert!(matches!(error, RunError::Compensated { .. }), "{error}");
    assert_eq!(t.undone(), ["set_gift_aside"]);
}

#[engine::test]
async fn a_gift_is_set_aside_once_although_the_answer_was_lost(t: TestEngine) {
    all_well(&t);
    t.service("inventory").on_post("/update").lose_answers(1).reply(());
    register(&t).await.unwrap();
    let [first, second] = &t.calls()[1..3] else { panic!() };
    assert_eq!((&first.key, first.status, second.status), (&second.key, None, Some(200)));
    assert_eq!(t.effects_left(), DONE);
}

#[engine::test]
async fn a_user_is_registered_although_nobody_counts(t: TestEngine) {
    all_well(&t);
    t.service("analytics").on_post("/track").fail(503);
    assert_eq!(register(&t).await.unwrap(), "ntf_1");
    assert_eq!(t.attempts().iter().filter(|step| *step == "track_registration").count(), 4, "it was tried");
}

/// Killed before and after every write, with an answer lost on top.
#[engine::test]
async fn killed_at_any_moment_a_registration_comes_to_the_same_end(t: TestEngine) {
    for (is_welcomed, left) in [(true, &DONE[..]), (false, &[ASKED])] {
        let crashes = t.crash_after_every_commit(async |t| {
            all_well(&t);
            t.service("inventory").on_post("/update").lose_answers(1).reply(());
            if !is_welcomed {
                t.service("notification").on_post("/send").fail(422);
            }
            assert_eq!(register(&t).await.is_ok(), is_welcomed);
        });
        crashes.assert_same_outcome();
        assert_eq!(crashes.undisturbed().effects_left(), left);
    }
}
