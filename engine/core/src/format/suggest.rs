//! Near misses.

/// Names longer than this are no near miss of anything.
const LONGEST: usize = 100;

/// `: did you mean …?` where one of `known` is close to `name`, otherwise nothing.
pub(crate) fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    match closest(name, known) {
        Some(near) => format!(": did you mean `{near}`?"),
        None => String::new(),
    }
}

fn closest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if name.len() > LONGEST {
        return None;
    }
    // A slip for each three characters, at least one; and never a name that has nothing in common.
    let tolerated = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= tolerated && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_suggested() {
        let known = ["after", "when", "optional", "compensate"];
        assert_eq!(did_you_mean("afer", known), ": did you mean `after`?");
        assert_eq!(did_you_mean("compnesate", known), ": did you mean `compensate`?");
        assert_eq!(did_you_mean("retries", known), "");
        assert_eq!(did_you_mean(&"x".repeat(1_000_000), known), "");
    }
}
