//! Reads arguments back from what was stored: a JSON array, by position.

use std::any::type_name;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::seal::Seal;

/// A value that can be read from what is stored.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a parameter of a task",
    label = "this task has a parameter `{Self}`",
    note = "an argument is read back from what is stored: every parameter after `cx` is an owned type with \
            `#[derive(Serialize, Deserialize)]`, no reference (`String`, not `&str`)"
)]
pub trait TaskArg: DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> TaskArg for T {}

/// The parameters of a task, as a tuple.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the parameters of a task",
    note = "a task has at most 8 after `cx`"
)]
pub trait ArgTypes: Sized {
    #[doc(hidden)]
    const LEN: usize;

    #[doc(hidden)]
    fn read(stored: &mut Stored<'_>, seal: Seal) -> Result<Self, String>;
}

/// Arguments as they are stored.
#[derive(Debug)]
pub struct Stored<'a> {
    values: std::vec::IntoIter<&'a RawValue>,
    number: usize,
}

impl<'a> Stored<'a> {
    /// Takes a JSON array of `count` values apart.
    fn new(json: &'a [u8], count: usize) -> Result<Self, String> {
        let values: Vec<&RawValue> = serde_json::from_slice(json).map_err(|error| format!("no arguments: {error}"))?;
        if values.len() != count {
            return Err(format!("there are {}, and it takes {count}", values.len()));
        }
        Ok(Self { values: values.into_iter(), number: 0 })
    }

    fn next<T: DeserializeOwned>(&mut self) -> Result<T, String> {
        self.number += 1;
        let value = self.values.next().map_or("null", RawValue::get);
        serde_json::from_str(value).map_err(|error| self.unread(type_name::<T>(), &error))
    }

    fn unread(&self, wanted: &str, error: &serde_json::Error) -> String {
        format!("argument {} (`{wanted}`): {error}", self.number)
    }
}

/// The arguments, each by its position.
pub(super) fn read<Sig: ArgTypes>(json: &[u8]) -> Result<Sig, String> {
    Sig::read(&mut Stored::new(json, Sig::LEN)?, Seal)
}

macro_rules! signatures {
    ($($count:literal ($($Type:ident),*))*) => { $(
        impl<$($Type: TaskArg),*> ArgTypes for ($($Type,)*) {
            const LEN: usize = $count;

            #[allow(unused_variables, clippy::unused_unit, reason = "some tasks take nothing")]
            fn read(stored: &mut Stored<'_>, _: Seal) -> Result<Self, String> {
                Ok(($(stored.next::<$Type>()?,)*))
            }
        }
    )* };
}

signatures! {
    0 ()
    1 (A)
    2 (A, B)
    3 (A, B, C)
    4 (A, B, C, D)
    5 (A, B, C, D, E)
    6 (A, B, C, D, E, F)
    7 (A, B, C, D, E, F, G)
    8 (A, B, C, D, E, F, G, H)
    9 (A, B, C, D, E, F, G, H, I)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_by_position() {
        assert_eq!(read::<(u32, String)>(br#"[1, "x"]"#).unwrap(), (1, "x".to_owned()));
        assert_eq!(read::<()>(b"[]"), Ok(()));
        assert_eq!(read::<(Option<u32>,)>(b"[null]").unwrap(), (None,));
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        assert_eq!(
            read::<(u32, String)>(b"[1, 2]").unwrap_err(),
            "argument 2 (`alloc::string::String`): invalid type: integer `2`, expected a string at line 1 column 1"
        );
        assert_eq!(read::<(u32,)>(b"[1, 2]").unwrap_err(), "there are 2, and it takes 1");
        assert!(read::<(u32,)>(b"{}").unwrap_err().starts_with("no arguments: "));
    }
}
