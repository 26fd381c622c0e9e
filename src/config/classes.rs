//! The classes of image files: the folders that they lie in.

use super::field_error::FieldError;
use crate::data::Labels;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashSet;
use std::fmt;

/// Which sub-folders are the classes of the images in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Classes {
    /// `"folders"`: those of the training images, in the order of their names.
    Folders,
    /// A list: these, and an image in another is an error.
    Named(Vec<String>),
}

const FOLDERS: &str = "folders";

impl Classes {
    pub(super) fn check(&self) -> Result<(), FieldError> {
        let Self::Named(names) = self else { return Ok(()) };
        if !(1..=Labels::MOST_CLASSES).contains(&names.len()) {
            return Err(FieldError::new("", format!("{} names", names.len()), "1 to 65536 names"));
        }
        let mut seen = HashSet::new();
        match names.iter().position(|name| !seen.insert(name)) {
            None => Ok(()),
            Some(i) => {
                Err(FieldError::new(format!("[{i}]"), format!("{:?} again", names[i]), "each name once"))
            }
        }
    }
}

impl Serialize for Classes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Folders => serializer.serialize_str(FOLDERS),
            Self::Named(names) => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Classes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Classes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "\"{FOLDERS}\" or an array of names")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Classes, E> {
                match text {
                    FOLDERS => Ok(Classes::Folders),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Classes, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = names.next_element()? {
                    all.push(name);
                }
                Ok(Classes::Named(all))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
