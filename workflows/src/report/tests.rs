use std::time::Duration;

use engine::RunError;
use engine::testing::{TestCall, TestEngine};

use super::*;

const SENT: &str = "notification POST /send";
const DONE: [&str; 3] = ["analytics POST /track", SENT, SENT];

/// Services that take everything. What a test says afterwards of a call replaces this.
fn all_well(t: &TestEngine) {
    t.service("notification").on_post("/send").reply(json!({ "notification_id": "ntf_1" }));
    t.service("analytics").on_post("/track").reply(json!({ "event_id": "evt_1" }));
}

/// Delivers a report to these readers; whatever comes of it.
async fn deliver_to(t: &TestEngine, readers: &[&str]) -> Result<usize, RunError> {
    let order = ReportOrder {
        title: "Sales".into(),
        parts: vec![vec![3, 4], vec![], vec![5]],
        readers: readers.iter().copied().map(str::to_owned).collect(),
    };
    t.start(&workflow().unwrap(), order).id("sales").await.unwrap().result().await
}

fn messages(t: &TestEngine) -> Vec<TestCall> {
    t.calls().into_iter().filter(|call| call.what == SENT).collect()
}

#[engine::test]
async fn a_report_is_counted_rendered_and_sent_to_each_reader(t: TestEngine) {
    all_well(&t);
    assert_eq!(deliver_to(&t, &["alice", "bob"]).await.unwrap(), 2);
    assert_eq!(t.attempts(), ["count", "render", "deliver", "track_report"]);
    assert_eq!(t.effects_left(), DONE);
    let [to_alice, to_bob] = &messages(&t)[..] else { panic!() };
    assert_eq!((&to_alice.body["user_id"], &to_bob.body["user_id"]), (&json!("alice"), &json!("bob")));
    assert_eq!(to_alice.body["data"]["text"], "Sales\n3 rows, 12 in all\n");
    assert_ne!(to_alice.key, to_bob.key, "two messages, not one twice");
}

#[engine::test]
async fn a_report_without_readers_is_delivered_to_nobody(t: TestEngine) {
    all_well(&t);
    assert_eq!(deliver_to(&t, &[]).await.unwrap(), 0);
    assert_eq!(messages(&t), []);
}

/// The second attempt finds all parts counted, and counts none of them once more.
#[engine::test]
async fn counting_goes_on_where_it_was(t: TestEngine) {
    all_well(&t);
    t.fail("count").though_done().times(1);
    deliver_to(&t, &["alice"]).await.unwrap();
    assert_eq!(t.attempts()[..2], ["count", "count"]);
    assert_eq!(messages(&t)[0].body["data"]["text"], "Sales\n3 rows, 12 in all\n");
}

#[engine::test]
async fn a_reader_gets_one_report_although_delivering_was_tried_twice(t: TestEngine) {
    all_well(&t);
    t.service("notification").on_post("/send").lose_answers(1).reply(json!({ "notification_id": "ntf_1" }));
    assert_eq!(deliver_to(&t, &["alice", "bob"]).await.unwrap(), 2);
    let [lost, to_alice, _] = &messages(&t)[..] else { panic!() };
    assert_eq!(lost.key, to_alice.key, "by which the service knows that it is the same");
    assert_eq!(t.effects_left(), DONE);
}

#[engine::test]
async fn a_report_that_can_not_be_delivered_fails(t: TestEngine) {
    all_well(&t);
    t.service("notification").on_post("/send").unreachable();
    let RunError::Failed { failure: Some(failure), .. } = deliver_to(&t, &["alice"]).await.unwrap_err() else {
        panic!("nothing is undone: there is no way to");
    };
    assert_eq!((failure.step.as_str(), failure.code.as_str()), ("deliver", "NO_CONNECTION"));
    assert_eq!(t.effects_left(), Vec::<String>::new());
}

#[engine::test]
async fn counting_that_fails_again_and_again_is_tried_ten_times(t: TestEngine) {
    all_well(&t);
    t.fail("count").times(9);
    assert_eq!(deliver_to(&t, &["alice"]).await.unwrap(), 1);
    assert_eq!(t.attempts().len(), 10 + 3);
    assert!(t.elapsed() > Duration::from_secs(1), "it waited, in simulated time");
}

/// Killed before and after every write, checkpoints among them.
#[engine::test]
async fn killed_at_any_moment_a_report_comes_to_the_same_end(t: TestEngine) {
    for (is_sent, left) in [(true, &DONE[..]), (false, &[])] {
        let crashes = t.crash_after_every_commit(async |t| {
            all_well(&t);
            if !is_sent {
                t.service("notification").on_post("/send").fail(422);
            }
            assert_eq!(deliver_to(&t, &["alice", "bob"]).await.is_ok(), is_sent);
            if let Some(message) = messages(&t).last() {
                assert_eq!(message.body["data"]["text"], "Sales\n3 rows, 12 in all\n");
            }
        });
        crashes.assert_same_outcome();
        assert_eq!(crashes.undisturbed().effects_left(), left);
    }
}
