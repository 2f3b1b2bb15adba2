//! `key=value` on the command line.

/// Reads a label, `key=value`.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = split(text)?;
    let most = engine_core::bounds::ID_LEN;
    if key.len() > most || value.len() > most {
        return Err(format!("a label's key and value may have {most} bytes each"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads a workflow id.
pub(crate) fn workflow_id(text: &str) -> Result<String, String> {
    let most = engine_core::bounds::ID_LEN;
    if text.trim().is_empty() {
        Err("an id has at least one character".to_owned())
    } else if text.len() > most {
        Err(format!("an id may have {most} bytes; this one has {}", text.len()))
    } else if text.chars().any(char::is_control) {
        Err("an id has no line ends or other control characters".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// Takes `key=value` apart; the key is not empty.
pub(crate) fn split(text: &str) -> Result<(&str, &str), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim(), value)),
        Some(_) => Err("there is nothing before `=`".to_owned()),
        None => Err("write it as key=value".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_keys_with_values() {
        assert_eq!(label("team=shop"), Ok(("team".to_owned(), "shop".to_owned())));
        assert_eq!(label("note=a=b"), Ok(("note".to_owned(), "a=b".to_owned())));
        assert_eq!(label("empty="), Ok(("empty".to_owned(), String::new())));
        for bad in ["team", "=shop", " =x"] {
            assert!(label(bad).is_err(), "{bad}");
        }
        assert!(label(&format!("k={}", "x".repeat(300))).is_err());
    }

    #[test]
    fn ids_are_short_texts_on_one_line() {
        assert_eq!(workflow_id("order-1001"), Ok("order-1001".to_owned()));
        for bad in ["", "  ", "a\nb", &"x".repeat(257)] {
            assert!(workflow_id(bad).is_err(), "{bad}");
        }
    }
}
