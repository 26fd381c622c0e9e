//! A precision that cannot be had, as an error.

use crate::error::Error;
use crate::tensor::Refused;

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::value("precision", refused.found(), Refused::EXPECTED)
    }
}
