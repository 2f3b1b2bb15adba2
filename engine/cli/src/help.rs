//! The help, with the verbs in groups.

use std::fmt::Write;

use crate::exit::Outcome;

/// The verbs by what they are for.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Run", &["run", "recover"]),
    ("Look", &["list", "show", "history", "graph", "definitions"]),
    ("Steer", &["signal", "cancel", "terminate", "pause", "resume", "resolve", "rerun"]),
    ("Author", &["new", "check", "schema", "mock-services"]),
    ("Keep", &["doctor", "backup", "compact", "delete", "bench"]),
];

/// The same command line with a help that shows the verbs in groups and the exit codes.
pub(crate) fn grouped(command: clap::Command) -> clap::Command {
    let verbs = verbs(&command);
    let codes = codes();
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{verbs}Options:\n{{options}}\n\n{codes}"
    ))
}

fn verbs(command: &clap::Command) -> String {
    let mut text = String::new();
    for (group, verbs) in GROUPS {
        // A String takes everything.
        let _ = writeln!(text, "{group}:");
        for verb in verbs.iter().filter_map(|verb| command.find_subcommand(verb)) {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {:<14} {about}", verb.get_name());
        }
        text.push('\n');
    }
    text
}

fn codes() -> String {
    let mut text = String::from("Exit codes:\n");
    for outcome in Outcome::ALL {
        let _ = writeln!(text, "  {}  {}", outcome.code(), outcome.meaning());
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::app::App;
    use crate::arguments;

    #[test]
    fn every_verb_is_in_one_group() {
        let mut command = arguments::command(&App::new("engine", "0"));
        let known: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        for verb in known {
            let groups = super::GROUPS.iter().filter(|(_, verbs)| verbs.contains(&verb.as_str()));
            assert_eq!(groups.count(), 1, "{verb}");
        }
        let help = command.render_help().to_string();
        for expected in ["Run:\n  run ", "Steer:\n  signal ", "Keep:\n  doctor ", "  7  Stuck", "--data-dir <DIR>"] {
            assert!(help.contains(expected), "{help}");
        }
    }
}
