use super::blocks::Signed;
use super::directions::Directions;
use super::*;

/// One fixed matrix a row.
struct Matrices(Vec<[[f64; 3]; 3]>);

impl Jacobian for Matrices {
    fn rows(&self) -> usize {
        self.0.len()
    }
    fn dims(&self) -> usize {
        3
    }
    fn batch(&self) -> usize {
        4
    }
    fn products(&mut self, rows: &[usize], tangents: &[f64], products: &mut [f64]) {
        assert!(rows.len() <= 4);
        for ((row, v), out) in rows.iter().zip(tangents.chunks(3)).zip(products.chunks_mut(3)) {
            for (out, line) in out.iter_mut().zip(self.0[*row]) {
                *out = line.iter().zip(v).map(|(a, b)| a * b).sum();
            }
        }
    }
}

const FULL: [[f64; 3]; 3] = [[1.0, 2.0, -1.0], [0.5, -3.0, 4.0], [2.0, 1.0, 0.25]];
const OTHER: [[f64; 3]; 3] = [[-0.5, 3.0, 1.0], [-1.0, 0.75, 0.5], [2.0, -2.0, 1.0]];
const DIAGONAL: [[f64; 3]; 3] = [[1.5, 0.0, 0.0], [0.0, -2.0, 0.0], [0.0, 0.0, 7.0]];
const SCALAR: [[f64; 3]; 3] = [[0.7, 0.0, 0.0], [0.0, 0.7, 0.0], [0.0, 0.0, 0.7]];

fn seeds(count: u8) -> Vec<ProbeSeed> {
    (0..count).map(|i| [i; 32]).collect()
}

#[test]
fn exact_is_the_trace_of_any_matrix() {
    let mut trace = Exact.begin(3, &seeds(3));
    let traces = trace.trace(&[0, 1, 2], &mut Matrices(vec![FULL, DIAGONAL, SCALAR]));
    assert_eq!(traces[..2], [-1.75, 6.5]);
    assert!((traces[2] - 2.1).abs() < 1e-15);
}

#[test]
fn rademacher_is_exact_on_the_diagonal_and_gaussian_on_multiples_of_one() {
    for probes in [1, 3] {
        let rademacher = Hutchinson::new(Probe::Rademacher, probes).expect("positive");
        let traces = rademacher.begin(3, &seeds(2)).trace(&[0, 1], &mut Matrices(vec![DIAGONAL; 2]));
        assert!(traces.iter().all(|t| (t - 6.5).abs() < 1e-14), "{traces:?}");
        let gaussian = Hutchinson::new(Probe::Gaussian, probes).expect("positive");
        let traces = gaussian.begin(3, &seeds(2)).trace(&[0, 1], &mut Matrices(vec![SCALAR; 2]));
        assert!(traces.iter().all(|t| (t - 2.1).abs() < 1e-14), "{traces:?}");
    }
}

#[test]
fn estimates_are_unbiased() {
    // 4,000 seeds; the standard error of the mean is about 0.06 and the bound four of them.
    for probe in [Probe::Rademacher, Probe::Gaussian] {
        let count = 4000_u32;
        let seeds: Vec<ProbeSeed> = (0..count)
            .map(|i| {
                let mut seed = [7; 32];
                seed[..4].copy_from_slice(&i.to_le_bytes());
                seed
            })
            .collect();
        let rows: Vec<usize> = (0..count as usize).collect();
        let one = Hutchinson::new(probe, 1).expect("positive");
        let traces = one.begin(3, &seeds).trace(&rows, &mut Matrices(vec![FULL; count as usize]));
        let n = f64::from(count);
        let mean = traces.iter().sum::<f64>() / n;
        let variance = traces.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / (n - 1.0);
        assert!((mean + 1.75).abs() < 4.0 * (variance / n).sqrt(), "{probe:?}: {mean}");
        if probe == Probe::Rademacher {
            // 2 |offdiagonal of the symmetric part|^2 = sum over i < j of (J_ij + J_ji)^2.
            let exact = 2.5_f64.powi(2) + 1.0 + 25.0;
            assert!((variance / exact - 1.0).abs() < 0.1, "{variance} {exact}");
        }
    }
}

/// Every built-in estimator.
fn built_ins() -> Vec<Box<dyn Divergence>> {
    let hutchinson = |probe, probes| Hutchinson::new(probe, probes).expect("positive");
    vec![
        Box::new(Exact),
        Box::new(hutchinson(Probe::Rademacher, 2)),
        Box::new(hutchinson(Probe::Gaussian, 2)),
        Box::new(HutchPlusPlus::new(2).expect("two")),
        Box::new(HutchPlusPlus::new(3).expect("two")),
        Box::new(Blocks::of_images([1, 3, 1], 2).expect("positive")),
    ]
}

/// Law `fixed`: the same Jacobian of the same row gives the same trace, whatever was asked in between.
#[test]
fn within_a_solve_a_trace_is_a_function_of_the_jacobian() {
    for divergence in built_ins() {
        let mut trace = divergence.begin(3, &seeds(5));
        let mut of = |rows: &[usize], matrix| trace.trace(rows, &mut Matrices(vec![matrix; rows.len()]));
        let all = of(&[0, 1, 2, 3, 4], FULL);
        of(&[0, 2, 4], OTHER);
        assert_eq!(of(&[1, 4], FULL), [all[1], all[4]], "{divergence:?}");
        let differ = all.windows(2).any(|pair| pair[0] != pair[1]);
        assert!(differ || divergence.is_exact(), "{divergence:?}: {all:?}");
    }
}

/// Law `rows`: whoever shares its batches, and whenever they begin, a row has its own trace.
#[test]
fn traces_depend_on_no_other_row() {
    for divergence in built_ins() {
        let together =
            divergence.begin(3, &seeds(3)).trace(&[0, 1, 2], &mut Matrices(vec![FULL, OTHER, FULL]));
        let mut apart = divergence.begin(3, &seeds(3));
        let late = apart.trace(&[2], &mut Matrices(vec![FULL]))[0];
        let first = apart.trace(&[0, 2], &mut Matrices(vec![FULL, FULL]));
        let alone = divergence.begin(3, &seeds(3)[1..2]).trace(&[0], &mut Matrices(vec![OTHER]))[0];
        assert_eq!(together, [first[0], alone, late], "{divergence:?}");
        assert_eq!(first[1], late, "{divergence:?}");
    }
}

/// Law `renewed`: a row that is made new is one that begins with its seed, and nobody else's.
#[test]
fn a_renewed_row_begins_anew() {
    let [a, b, c, d] = [[1; 32], [2; 32], [3; 32], [4; 32]];
    for divergence in built_ins() {
        let mut trace = divergence.begin(3, &[a, b, c]);
        let of = |trace: &mut dyn Trace, matrix| trace.trace(&[0, 1, 2], &mut Matrices(vec![matrix; 3]));
        let before = of(&mut *trace, OTHER);
        trace.renew(&[2, 0], &[d, b]);
        let after = of(&mut *trace, FULL);
        let mut fresh = divergence.begin(3, &[b, b, d]);
        let expected = of(&mut *fresh, FULL);
        assert_eq!([after[0], after[2]], [expected[0], expected[2]], "{divergence:?}");
        // The row between has seen another Jacobian first.
        assert_eq!(of(&mut *trace, OTHER)[1], before[1], "{divergence:?}");
    }
}

/// Every vector of `count` signs.
fn all_signs(count: usize) -> Vec<f64> {
    let bit = |i: usize, j: usize| if i >> j & 1 == 1 { 1.0 } else { -1.0 };
    (0..1 << count).flat_map(|i| (0..count).map(move |j| bit(i, j))).collect()
}

/// Mean and variance, over the rows of `trace`, of the traces of `last` after those of `first`.
fn moments(trace: &mut dyn Trace, rows: usize, first: [[f64; 3]; 3], last: [[f64; 3]; 3]) -> (f64, f64) {
    let all: Vec<usize> = (0..rows).collect();
    trace.trace(&all, &mut Matrices(vec![first; rows]));
    let traces = trace.trace(&all, &mut Matrices(vec![last; rows]));
    let mean = traces.iter().sum::<f64>() / rows as f64;
    (mean, traces.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / rows as f64)
}

/// Law `unbiased` of Hutch++: the mean over all its `2^(3 (k + m))` sketches and probes is the trace, of the Jacobian that the
/// basis is of and of another one.
#[test]
fn hutch_plus_plus_is_unbiased_over_all_sketches_and_probes() {
    for products in [2, 3, 4] {
        let divergence = HutchPlusPlus::new(products).expect("two");
        assert_eq!(divergence.basis() + divergence.probes(), products);
        let rows = 1 << (3 * products);
        for (last, exact) in [(FULL, -1.75), (OTHER, 1.25)] {
            let mut trace = divergence.with_signs(3, all_signs(3 * products));
            let (mean, variance) = moments(&mut trace, rows, FULL, last);
            assert!((mean - exact).abs() < 1e-10 && variance > 1e-3, "{products}: {mean} {exact} {variance}");
        }
    }
}

/// A number a row: a Jacobian of one dimension.
struct Numbers<'n>(&'n [f64]);

impl Jacobian for Numbers<'_> {
    fn rows(&self) -> usize {
        self.0.len()
    }
    fn dims(&self) -> usize {
        1
    }
    fn batch(&self) -> usize {
        2
    }
    fn products(&mut self, rows: &[usize], tangents: &[f64], products: &mut [f64]) {
        for ((row, v), out) in rows.iter().zip(tangents).zip(products) {
            *out = self.0[*row] * v;
        }
    }
}

/// Of one dimension, one vector is a basis.
#[test]
fn hutch_plus_plus_is_exact_in_one_dimension() {
    for products in [2, 3, 4] {
        let mut trace = HutchPlusPlus::new(products).expect("two").begin(1, &seeds(5));
        assert_eq!(
            trace.trace(&[0, 1, 2, 3, 4], &mut Numbers(&[0.5, -2.0, 3.0, 0.25, 8.0])),
            [0.5, -2.0, 3.0, 0.25, 8.0]
        );
    }
}

/// Products are of each row's own directions, the first of them alone, in any order of rows and over batches.
#[test]
fn products_are_of_a_rows_own_directions() {
    let entries: Vec<f64> = (0..3 * 3 * 3).map(f64::from).collect();
    let directions = Directions { dims: 3, per_row: 3, entries, factors: vec![1.0; 9] };
    let products =
        directions.products(&[(1, 2), (0, 0), (2, 1)], 2, &mut Matrices(vec![FULL, DIAGONAL, OTHER]));
    let mut expected = Vec::new();
    for (matrix, row) in [(DIAGONAL, 2), (FULL, 0), (OTHER, 1)] {
        for direction in 0..2 {
            let v = [0, 1, 2].map(|i| f64::from(9 * row + 3 * direction + i));
            expected.extend(matrix.map(|line| line.iter().zip(v).map(|(a, b)| a * b).sum::<f64>()));
        }
    }
    assert_eq!(products, expected);
}

/// What is of rank `k` at a row's first evaluation has no variance at any later one that stays within its range.
#[test]
fn hutch_plus_plus_is_exact_within_its_basis() {
    // u w^T and u x^T.
    let outer = |w: [f64; 3]| [1.0, -2.0, 0.5].map(|u| w.map(|w| u * w));
    let (first, last) = (outer([1.0, 1.0, 3.0]), outer([0.0, 2.0, 1.0]));
    let mut trace = HutchPlusPlus::new(2).expect("two").with_signs(3, all_signs(6));
    let (mean, variance) = moments(&mut trace, 64, first, last);
    assert!((mean + 3.5).abs() < 1e-12 && variance < 1e-24, "{mean} {variance}");
    // Hutchinson's has 2/m sum over i != j of S_ij^2.
    let mut trace = Hutchinson::new(Probe::Rademacher, 2).expect("positive").begin(3, &seeds(64));
    assert!(moments(&mut *trace, 64, first, last).1 > 1.0);
    // A network that gives no number makes no basis, and the row fails.
    let mut trace = HutchPlusPlus::new(2).expect("two").begin(3, &seeds(1));
    assert!(trace.trace(&[0], &mut Matrices(vec![[[f64::NAN; 3]; 3]]))[0].is_nan());
}

/// Law `unbiased` of blocks: the mean over all signs is the trace, and only pairs within a block have a variance.
#[test]
fn blocks_are_unbiased_over_all_signs_and_couple_their_own_pixels_only() {
    // Pixels 0 and 2 are one block: their pair has J_02 + J_20 = 1 of FULL.
    for (stride, blocks, expected) in
        [(1, 1, 2.5_f64.powi(2) + 1.0 + 25.0), (2, 2, 1.0), (3, 3, 0.0), (9, 3, 0.0)]
    {
        let divergence = Blocks::of_images([1, 3, 1], stride).expect("positive");
        assert_eq!((divergence.blocks(), divergence.is_exact()), (blocks, stride >= 3));
        let (mean, variance) = moments(&mut divergence.with_signs(3, all_signs(3)), 8, OTHER, FULL);
        assert!((mean + 1.75).abs() < 1e-10, "{stride}: {mean}");
        assert!((variance - expected).abs() < 1e-10, "{stride}: {variance} {expected}");
    }
}

#[test]
fn blocks_hold_pixels_a_stride_apart_in_one_channel() {
    for (height, width, stride) in [(4, 3, 2), (5, 4, 2), (5, 4, 3)] {
        let divergence = Blocks::of_images([height, width, 2], stride).expect("positive");
        let dims = height * width * 2;
        let Signed { of, .. } = divergence.with_signs(dims, vec![1.0; dims]);
        assert_eq!((divergence.stride(), divergence.blocks()), (stride, 2 * stride * stride));
        for (i, a) in of.iter().enumerate() {
            for (j, b) in of.iter().enumerate() {
                let place = |i: usize| (i / 2 / width % stride, i / 2 % width % stride, i % 2);
                assert_eq!(a == b, place(i) == place(j), "{height} {width}: {i} {j}");
            }
        }
    }
    // No further than an image's longer side.
    assert_eq!(Blocks::of_images([2, 3, 1], 9).expect("positive").stride(), 3);
    let error = Blocks::of_images([8, 8, 1], 0).expect_err("no stride").to_string();
    assert_eq!(error, "stride = 0: expected at least 1");
}

#[test]
fn an_estimator_tells_its_probes() {
    for probe in [Probe::Rademacher, Probe::Gaussian] {
        let divergence = Hutchinson::new(probe, 3).expect("positive");
        assert_eq!((divergence.probe(), divergence.probes()), (probe, 3));
    }
}

#[test]
fn too_few_products_are_refused() {
    let error = Hutchinson::new(Probe::Rademacher, 0).expect_err("none").to_string();
    assert_eq!(error, "probes = 0: expected at least 1");
    let error = HutchPlusPlus::new(1).expect_err("one").to_string();
    assert_eq!(error, "products = 1: expected at least 2");
}
