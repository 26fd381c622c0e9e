//! Published figures.

use super::Measured;
use crate::error::{Error, Result};
use crate::result::VLB;

/// A likelihood that was published: on which data, by which bound, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// What it is called, in lower case.
    pub name: &'static str,
    /// The figure in bits/dim, as it was rounded.
    pub bits_per_dim: f64,
    /// The data set's name in recipes and results. The two releases of ImageNet-32 are two data sets.
    pub data: &'static str,
    /// The split.
    pub split: &'static str,
    /// The number of images of the split.
    pub images: u64,
    /// The estimate that bounds the likelihood in the same way, by name; `K` is not published with the figure.
    pub estimate: &'static str,
    /// Whether the model was trained on more than the data set: flipped and turned images.
    pub augmented: bool,
    /// The paper.
    pub source: &'static str,
}

/// The grey levels of every published figure.
const LEVELS: u64 = 256;

const TRUNCATED_NORMAL: &str = "ode_truncated_normal";

const fn cifar10(name: &'static str, bits_per_dim: f64) -> Reference {
    Reference {
        name,
        bits_per_dim,
        data: "cifar10",
        split: "test",
        images: 10_000,
        estimate: TRUNCATED_NORMAL,
        augmented: false,
        source: "i-DODE, arXiv 2305.03935",
    }
}

const fn imagenet32_new(name: &'static str, bits_per_dim: f64) -> Reference {
    Reference { data: "imagenet32_new", split: "validation", images: 50_000, ..cifar10(name, bits_per_dim) }
}

const fn imagenet32_old(name: &'static str, bits_per_dim: f64) -> Reference {
    Reference { data: "imagenet32_old", images: 49_999, ..imagenet32_new(name, bits_per_dim) }
}

const fn augmented(reference: Reference) -> Reference {
    Reference { augmented: true, ..reference }
}

const fn vdm(reference: Reference) -> Reference {
    Reference { estimate: VLB, source: "VDM, arXiv 2107.00630", ..reference }
}

impl Reference {
    /// Every figure that is built in. `vp` and `sp` are schedules; what has neither is of the variance-preserving one.
    pub const ALL: [Self; 10] = [
        cifar10("i-dode-cifar10", 2.56),
        augmented(cifar10("i-dode-cifar10-augmented", 2.42)),
        imagenet32_new("i-dode-imagenet32-new", 3.43),
        imagenet32_old("i-dode-imagenet32-old", 3.69),
        cifar10("i-dode-sp-cifar10", 2.56),
        imagenet32_new("i-dode-sp-imagenet32-new", 3.44),
        imagenet32_old("i-dode-sp-imagenet32-old", 3.69),
        vdm(cifar10("vdm-cifar10", 2.65)),
        vdm(augmented(cifar10("vdm-cifar10-augmented", 2.49))),
        vdm(imagenet32_old("vdm-imagenet32-old", 3.72)),
    ];

    /// The figure called `name`, in whatever case.
    ///
    /// # Errors
    /// A name that no figure has.
    pub fn named(name: &str) -> Result<Self> {
        let lower = name.to_lowercase();
        Self::ALL.into_iter().find(|reference| reference.name == lower).ok_or_else(|| Error::UnknownName {
            kind: "reference",
            found: name.to_owned(),
            known: Self::ALL.map(|reference| reference.name).join(", "),
            hint: String::new(),
        })
    }

    /// Refuses a run whose numbers mean something else.
    pub(super) fn require(&self, run: &Measured) -> Result<()> {
        let levels = run.data.fingerprint.get("levels").map_or("nothing".to_owned(), ToString::to_string);
        let rows = [
            ("data", run.data.name.clone(), self.data.to_owned()),
            ("split", run.data.split.clone(), self.split.to_owned()),
            ("data's levels", levels, LEVELS.to_string()),
            ("bound", run.bound.estimate.clone(), self.estimate.to_owned()),
            ("conditions", run.bound.conditions.to_string(), "0".to_owned()),
            ("images", run.images.len().to_string(), self.images.to_string()),
        ];
        match rows.into_iter().find(|(_, found, expected)| found != expected) {
            None => Ok(()),
            Some((what, found, expected)) => {
                let expected = format!("{expected}, as {} ({}) has", self.name, self.source);
                Err(Error::value(format!("{what} of {}", run.run), found, expected))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;
    use crate::data::imagenet32::Release;

    #[test]
    fn names_are_found_in_any_case_and_no_two_are_equal() {
        for (i, reference) in Reference::ALL.iter().enumerate() {
            assert_eq!(Reference::named(&reference.name.to_uppercase()).unwrap(), *reference);
            assert!(Reference::ALL[..i].iter().all(|other| other.name != reference.name));
            assert_eq!(reference.name, reference.name.to_lowercase());
        }
        assert_eq!(Reference::named("i-DODE-cifar10").unwrap().bits_per_dim, 2.56);
        let error = Reference::named("cifar").unwrap_err().to_string();
        assert!(
            error.starts_with("reference \"cifar\" is unknown: expected one of i-dode-cifar10, "),
            "{error}"
        );
    }

    #[test]
    fn splits_are_whole() {
        for release in [Release::Old, Release::New] {
            for reference in Reference::ALL.iter().filter(|reference| reference.data == release.name()) {
                assert_eq!(reference.images, release.published_images(Split::Validation) as u64);
                assert_eq!(reference.split, Split::Validation.name());
            }
        }
        assert_eq!(TRUNCATED_NORMAL, crate::result::ode_name("truncated_normal"));
    }
}
