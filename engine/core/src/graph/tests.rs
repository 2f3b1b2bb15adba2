use super::*;

const SAGA: &str = include_str!("../../../../workflows/order_saga.json");

fn saga() -> Definition {
    Definition::from_json(SAGA).unwrap()
}

#[test]
fn the_saga_is_drawn_in_mermaid() {
    let drawn = saga().to_mermaid(None);
    let expected = r#"flowchart TD
  s0["validate_user<br/>POST user"]
  s1["check_inventory<br/>POST inventory"]
  s2["validate_payment<br/>POST payment"]
  s3["charge<br/>POST payment<br/>undo: POST payment"]
  s4["update_inventory<br/>POST inventory<br/>undo: POST inventory"]
  s5{{"create_record<br/>POST order<br/>pivot"}}
  s6["confirm<br/>POST notification<br/>optional"]
  s7["analytics<br/>POST analytics<br/>optional"]
  subgraph on_failure ["on failure"]
    s8["mark_failed<br/>POST order"]
    s9["notify_error<br/>POST notification"]
  end
  s0 --> s3
  s1 --> s3
  s2 --> s3
  s3 --> s4
  s4 --> s5
  s5 --> s6
  s5 --> s7
  classDef optional stroke-dasharray: 4 3
  class s6,s7 optional
"#;
    assert_eq!(drawn, expected);
}

#[test]
fn the_saga_is_drawn_in_dot() {
    let drawn = saga().to_dot(None);
    assert!(drawn.starts_with("digraph \"order_saga\" {\n"), "{drawn}");
    for line in [
        r#"  "charge" [label="charge\nPOST payment\nundo: POST payment"];"#,
        r#"  "create_record" [label="create_record\nPOST order\npivot", peripheries=2];"#,
        r#"    "mark_failed" [label="mark_failed\nPOST order"];"#,
        r#"  "update_inventory" -> "create_record";"#,
    ] {
        assert!(drawn.lines().any(|drawn| drawn == line), "{line}\n{drawn}");
    }
    // It follows from charge → update_inventory → create_record.
    assert!(!drawn.contains(r#""charge" -> "create_record""#), "{drawn}");
}

#[test]
fn a_run_is_drawn_with_its_states() {
    let saga = saga();
    let charge = saga.find("charge").unwrap();
    let states = |step| {
        (step == charge).then(|| NodeState { label: "failed: \"402\" <declined>\\".into(), class: NodeClass::Failed })
    };
    let dot = saga.to_dot(Some(&states));
    assert!(dot.contains(r##"failed: \"402\" <declined>\\", class="failed", fillcolor="#f8d7da"];"##), "{dot}");
    let mermaid = saga.to_mermaid(Some(&states));
    assert!(mermaid.contains("failed: #34;402#34; #60;declined#62;#92;\"]\n"), "{mermaid}");
    assert!(mermaid.ends_with("  classDef failed fill: #f8d7da\n  class s3 failed\n"), "{mermaid}");
}

#[test]
fn conditions_cannot_break_the_syntax() {
    let file = r#"{"format":"engine/1","name":"n","version":"1","steps":{
        "end": {"value": 1, "when": "${ .input.x == \"a\\\"b]}\n\" }"}}}"#;
    let definition = Definition::from_json(file).unwrap();
    let mermaid = definition.to_mermaid(None);
    assert!(
        mermaid.contains("s0[\"end<br/>value<br/>when .input.x == #34;a#92;#34;b#93;#125;<br/>#34;\"]"),
        "{mermaid}"
    );
    let dot = definition.to_dot(None);
    assert!(dot.contains(r#""end" [label="end\nvalue\nwhen .input.x == \"a\\\"b]}\n\""];"#), "{dot}");
}
