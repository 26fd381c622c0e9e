use super::*;
use crate::error::Result;
use crate::result::DataRecord;
use serde_json::json;
use std::collections::BTreeMap;

const NAN: f64 = f64::NAN;

fn measured(run: &str, values: &[f64]) -> Measured {
    let fingerprint = json!({ "images": 50, "levels": 17, "sha256": "ab", "shape": { "height": 8 } });
    Measured {
        run: run.into(),
        data: DataRecord { name: "digits".into(), split: "test".into(), fingerprint },
        bound: Bound { estimate: "vlb".into(), importance_samples: 1, conditions: 0 },
        unit: Unit::BitsPerDim,
        images: (0..).zip(values.iter().copied()).collect(),
    }
}

#[test]
fn the_paired_error_is_that_of_the_differences() -> Result<()> {
    let (a, b) = (measured("a", &[1.0, 3.0, NAN, 5.0, 7.0]), measured("b", &[0.5, 3.0, 2.0, 4.0, NAN]));
    let found = PairedDifference::of(&a, &b)?;
    // The differences are -1/2, 0 and -1: their standard deviation is 1/2.
    assert_eq!((found.images, found.left_out, found.better), (3, 2, 2));
    assert_eq!((found.baseline_value, found.value, found.difference), (3.0, 2.5, -0.5));
    assert!((found.standard_error - 0.5 / 3_f64.sqrt()).abs() < 1e-15);
    // Standard deviations 2 and sqrt(13/4) of three values each.
    assert!((found.unpaired_standard_error - ((4.0 + 3.25) / 3_f64).sqrt()).abs() < 1e-15);
    assert_eq!(found.pairs, [(1.0, 0.5), (3.0, 3.0), (5.0, 4.0)]);
    let one = PairedDifference::of(&measured("a", &[1.0]), &measured("b", &[2.0]))?;
    assert!(one.difference == 1.0 && one.standard_error.is_nan());
    Ok(())
}

/// Every kind of unlike pair, and the line that says so.
#[test]
fn unlike_runs_are_refused() {
    let a = measured("a", &[1.0, 2.0]);
    let cases: [(fn(&mut Measured), &str); 10] = [
        (|b| b.data.split = "train".into(), "split of b = train: expected test, as a has"),
        (|b| b.data.fingerprint["sha256"] = "cd".into(), "data's sha256 of b = cd: expected ab, as a has"),
        (
            |b| {
                b.data.name = "folder".into();
                b.data.fingerprint["levels"] = 256.into();
            },
            "data's levels of b (folder) = 256: expected 17, as a (digits) has",
        ),
        (
            |b| b.data.fingerprint["unit"] = "nats".into(),
            "data's unit of b = nats: expected nothing, as a has",
        ),
        (|b| b.bound.estimate = "ode_uniform".into(), "bound of b = ode_uniform: expected vlb, as a has"),
        (
            |b| b.bound.importance_samples = 20,
            "bound of b = vlb with 20 importance samples: expected vlb, as a has",
        ),
        (|b| b.bound.conditions = 3, "bound of b = vlb given 3 conditions: expected vlb, as a has"),
        (|b| b.unit = Unit::NatsPerRow, "unit of b = nats/row: expected bits/dim, as a has"),
        (
            |b| b.images = [(0, 1.0), (1, 1.0), (4, 1.0)].into(),
            "images of b = 3 (numbers 0 to 1, 4 to 4): expected 2 (numbers 0 to 1), as a has",
        ),
        (
            |b| b.images = [(1, 1.0), (2, 1.0)].into(),
            "images of b = 2 (numbers 1 to 2): expected 2 (numbers 0 to 1), as a has",
        ),
    ];
    for (change, line) in cases {
        let mut b = measured("b", &[1.0, 2.0]);
        assert!(PairedDifference::of(&a, &b).is_ok());
        change(&mut b);
        assert_eq!(PairedDifference::of(&a, &b).unwrap_err().to_string(), line);
    }
    // The same images under another name are the same.
    let mut b = measured("b", &[1.0, 2.0]);
    b.data.name = "npz".into();
    assert!(PairedDifference::of(&a, &b).is_ok());
}

/// A run on all of CIFAR-10's test images.
fn cifar10() -> Measured {
    let mut run = measured("a", &[]);
    run.data =
        DataRecord { name: "cifar10".into(), split: "test".into(), fingerprint: json!({ "levels": 256 }) };
    run.bound.estimate = "ode_truncated_normal".into();
    run.images =
        (0..10_000).map(|i| (i, if i == 0 { NAN } else { 2.6 + 0.1 * f64::from(i as u32 % 2) })).collect();
    run
}

#[test]
fn published_figures_ask_for_their_data_split_levels_bound_and_images() -> Result<()> {
    let reference = Reference::named("i-dode-cifar10")?;
    let found = ReferenceDifference::of(&reference, &cifar10())?;
    assert_eq!((found.images, found.left_out, found.published_value), (9999, 1, 2.56));
    assert!(
        (found.difference - 0.09).abs() < 1e-4 && (found.standard_error - 5e-4).abs() < 1e-7,
        "{found:?}"
    );
    let cases: [(fn(&mut Measured), &str); 5] = [
        (|run| run.data.name = "imagenet32_new".into(), "data of a = imagenet32_new: expected cifar10"),
        (|run| run.data.split = "train".into(), "split of a = train: expected test"),
        (|run| run.data.fingerprint["levels"] = 8.into(), "data's levels of a = 8: expected 256"),
        (|run| run.bound.estimate = "vlb".into(), "bound of a = vlb: expected ode_truncated_normal"),
        (|run| run.images.retain(|index, _| *index != 7), "images of a = 9999: expected 10000"),
    ];
    for (change, line) in cases {
        let mut run = cifar10();
        change(&mut run);
        let end = ", as i-dode-cifar10 (i-DODE, arXiv 2305.03935) has";
        assert_eq!(
            ReferenceDifference::of(&reference, &run).unwrap_err().to_string(),
            format!("{line}{end}")
        );
    }
    Ok(())
}

/// Neither by their figures nor by runs.
#[test]
fn the_releases_of_imagenet32_are_never_compared() -> Result<()> {
    let release = |name: &str, images: u64| {
        let mut run = cifar10();
        run.data.name = name.into();
        run.data.split = "validation".into();
        run.data.fingerprint["images"] = images.into();
        run.images = (0..images).map(|i| (i, 3.5)).collect();
        run
    };
    let (old, new) = (release("imagenet32_old", 49_999), release("imagenet32_new", 50_000));
    let line = PairedDifference::of(&old, &new).unwrap_err().to_string();
    assert_eq!(
        line,
        "data's images of a (imagenet32_new) = 50000: expected 49999, as a (imagenet32_old) has"
    );
    for reference in Reference::ALL.iter().filter(|reference| reference.estimate != "vlb") {
        assert_eq!(
            ReferenceDifference::of(reference, &old).is_ok(),
            reference.data == "imagenet32_old",
            "{reference:?}"
        );
        assert_eq!(
            ReferenceDifference::of(reference, &new).is_ok(),
            reference.data == "imagenet32_new",
            "{reference:?}"
        );
    }
    Ok(())
}

#[test]
fn all_common_estimates_or_the_one_asked_for() -> Result<()> {
    let run = |name: &str, estimates: &[&str]| -> Vec<Measured> {
        let of = |estimate: &&str| {
            let mut own = measured(name, &[1.0, 2.0]);
            own.bound.estimate = (*estimate).into();
            own
        };
        estimates.iter().map(of).collect()
    };
    let (a, b, c) = (run("a", &["vlb", "x", "y"]), run("b", &["y", "vlb"]), run("c", &["vlb", "y", "z"]));
    let names = |comparison: Comparison| {
        let of = |d: PairedDifference| (d.estimate, d.baseline, d.run);
        comparison.differences.into_iter().map(of).collect::<Vec<_>>()
    };
    let row = |estimate: &str, run: &str| (estimate.to_owned(), "a".to_owned(), run.to_owned());
    let all = Comparison::of(&[a.clone(), b.clone(), c.clone()], None, &[])?;
    assert_eq!(names(all), [row("vlb", "b"), row("vlb", "c"), row("y", "b"), row("y", "c")]);
    assert_eq!(names(Comparison::of(&[a.clone(), b.clone()], Some("y"), &[])?), [row("y", "b")]);
    let line = |runs: &[Vec<Measured>], estimate, references: &[Reference]| {
        Comparison::of(runs, estimate, references).unwrap_err().to_string()
    };
    assert_eq!(line(&[a.clone(), b], Some("x"), &[]), "estimate = \"x\": expected one that b has: y, vlb");
    assert_eq!(
        line(&[a.clone(), run("d", &["z"])], None, &[]),
        "estimates = none that every run has: expected one that a has: vlb, x, y"
    );
    assert_eq!(
        line(std::slice::from_ref(&a), None, &[]),
        "runs = 1: expected two or more, or one and a published figure"
    );
    assert_eq!(line(&[], None, &[]), "runs = 0: expected two or more, or one and a published figure");
    let cifar = Reference::named("vdm-cifar10")?;
    assert_eq!(
        line(&[a], None, &[cifar]),
        "data of a = digits: expected cifar10, as vdm-cifar10 (VDM, arXiv 2107.00630) has"
    );
    let found = Comparison::of(&[vec![cifar10()]], None, &[Reference::named("i-dode-cifar10-augmented")?])?;
    assert_eq!((found.differences.len(), found.references.len()), (0, 1));
    let images: BTreeMap<u64, f64> = BTreeMap::new();
    assert!(
        PairedDifference::of(
            &Measured { images: images.clone(), ..cifar10() },
            &Measured { images, ..cifar10() }
        )?
        .difference
        .is_nan()
    );
    Ok(())
}
