//! A comparison as a table.

use super::table::{aligned, cells};
use crate::comparison::Comparison;

/// One row for each difference, in aligned columns. A published figure has no images, so no standard error of pairs.
pub fn comparison_table(comparison: &Comparison) -> String {
    let Comparison { data, differences, references } = comparison;
    let unit = differences.first().map(|d| d.unit).or_else(|| references.first().map(|r| r.unit));
    let unit = unit.map(|unit| unit.to_string()).unwrap_or_default();
    let header = [
        "estimate",
        "run",
        &unit,
        "against",
        &unit,
        "difference",
        "std. error",
        "unpaired",
        "images",
        "better",
        "left out",
    ];
    let four = |value: f64| format!("{value:.4}");
    let signed = |value: f64| format!("{value:+.4}");
    let mut rows = vec![cells(&header)];
    for d in differences {
        rows.push(vec![
            d.estimate.clone(),
            d.run.clone(),
            four(d.value),
            d.baseline.clone(),
            four(d.baseline_value),
            signed(d.difference),
            four(d.standard_error),
            four(d.unpaired_standard_error),
            d.images.to_string(),
            d.better.to_string(),
            d.left_out.to_string(),
        ]);
    }
    for r in references {
        rows.push(vec![
            r.estimate.clone(),
            r.run.clone(),
            four(r.value),
            r.reference.clone(),
            format!("{:.2}", r.published_value),
            signed(r.difference),
            String::new(),
            four(r.standard_error),
            r.images.to_string(),
            String::new(),
            r.left_out.to_string(),
        ]);
    }
    format!("{}, {} split\n{}", data.name, data.split, aligned(&rows, &[0, 1, 3]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comparison::{PairedDifference, ReferenceDifference, Unit};
    use crate::result::DataRecord;

    #[test]
    fn columns_line_up() {
        let data = DataRecord { name: "cifar10".into(), split: "test".into(), fingerprint: ().into() };
        let difference = PairedDifference {
            estimate: "vlb".into(),
            baseline: "runs/a".into(),
            run: "runs/b".into(),
            unit: Unit::BitsPerDim,
            baseline_value: 2.71,
            value: 2.7051,
            difference: -0.0049,
            standard_error: 0.00031,
            unpaired_standard_error: 0.0087,
            images: 9_999,
            better: 6_000,
            left_out: 1,
            pairs: Vec::new(),
        };
        let reference = ReferenceDifference {
            estimate: "vlb".into(),
            reference: "vdm-cifar10".into(),
            source: "VDM".into(),
            run: "runs/a".into(),
            unit: Unit::BitsPerDim,
            published_value: 2.65,
            value: 2.71,
            difference: 0.06,
            standard_error: 0.006,
            images: 10_000,
            left_out: 0,
        };
        let comparison = Comparison { data, differences: vec![difference], references: vec![reference] };
        let expected = "\
cifar10, test split
estimate  run     bits/dim  against      bits/dim  difference  std. error  unpaired  images  better  left out
-------------------------------------------------------------------------------------------------------------
vlb       runs/b    2.7051  runs/a         2.7100     -0.0049      0.0003    0.0087    9999    6000         1
vlb       runs/a    2.7100  vdm-cifar10      2.65     +0.0600                0.0060   10000                 0
";
        assert_eq!(comparison_table(&comparison), expected);
    }
}
