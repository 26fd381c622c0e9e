//! Columns that a density does not fit, because their values repeat.

use std::fmt;

/// More cells than this between the least and the largest value are no grid that a user means.
const MOST_CELLS: f64 = 1e6;

/// A modelled column of few repeated values, where a density has no bound: a model can put ever narrower peaks on
/// them, and its likelihood says nothing.
///
/// The rule: fewer distinct values than a tenth of the rows, or one value in more than a twentieth of the rows (and
/// in at least three).
#[derive(Clone, Debug, PartialEq)]
pub struct Repeats {
    /// The column.
    pub column: String,
    /// The number of rows.
    pub rows: usize,
    /// The number of different values.
    pub distinct: usize,
    /// The most frequent value.
    pub most_frequent: f64,
    /// How many rows have it.
    pub frequency: usize,
    /// The step of the grid that the values lie on, if they lie on one.
    pub step: Option<f64>,
}

impl Repeats {
    /// What is to be said of a column's values, if they repeat.
    pub fn of(column: &str, values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let sorted = sorted(values);
        let runs: Vec<&[f64]> = sorted.chunk_by(|a, b| a == b).collect();
        let most = runs.iter().max_by_key(|run| run.len())?;
        let (rows, distinct, frequency) = (sorted.len(), runs.len(), most.len());
        if 10 * distinct >= rows && (20 * frequency <= rows || frequency < 3) {
            return None;
        }
        let step = regular_step(sorted.iter().copied());
        Some(Self { column: column.to_owned(), rows, distinct, most_frequent: most[0], frequency, step })
    }
}

impl fmt::Display for Repeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, rows, distinct, most_frequent, frequency, step } = self;
        write!(
            f,
            "column \"{column}\" repeats its values ({distinct} different ones in {rows} rows, {most_frequent:?} in \
             {frequency}): a density there has no bound"
        )?;
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let key = if column.chars().all(bare) { column.clone() } else { format!("{column:?}") };
        match step {
            Some(step) => write!(f, "; grid = {{ {key} = {step:?} }} gives them probabilities"),
            None => write!(f, "; grid = {{ {key} = step }} gives them probabilities if they lie on a grid"),
        }
    }
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    // Adding zero makes both zeros one value.
    let mut sorted: Vec<f64> = values.into_iter().map(|x| x + 0.0).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The largest step, with the fewest digits, of a grid that all values lie on: the least distance between two of them
/// or a tenth to a half of it. None for values that are all the same.
pub(crate) fn regular_step(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut distinct = sorted(values);
    distinct.dedup();
    let (first, range) = (*distinct.first()?, distinct.last()? - distinct.first()?);
    // Two values that differ by rounding only are one.
    let least = distinct.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 1e-9 * range);
    let least = least.reduce(f64::min)?;
    let on_grid = |step: f64| {
        let off = |x: &f64| ((x - first) / step - ((x - first) / step).round()).abs() > 1e-3;
        range <= MOST_CELLS * step && !distinct.iter().any(off)
    };
    let shortest = |step: f64| {
        let rounded = |digits: usize| format!("{step:.digits$e}").parse().unwrap_or(step);
        (0..=16).map(rounded).find(|&rounded: &f64| rounded > 0.0 && on_grid(rounded))
    };
    (1..=10).find_map(|parts| shortest(least / f64::from(parts)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn uniform(seed: u64, rows: usize) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..rows).map(|_| rng.r#gen()).collect()
    }

    #[test]
    fn steps_are_guessed_from_values() {
        let tenths = || (0..300).map(|k| f64::from(k) * 0.1 - 5.0);
        assert_eq!(regular_step(tenths()), Some(0.1));
        assert_eq!(regular_step([0.0, 1.0]), Some(1.0));
        // The least distance is 2, and 5 is no multiple of it.
        assert_eq!(regular_step([1.0, 3.0, 8.0]), Some(1.0));
        assert_eq!(regular_step([0.25, 1.0, -3.5]), Some(0.75));
        assert_eq!(regular_step([0.25, 1.0, -3.25]), Some(0.25));
        let thirds: Vec<f64> = (0..50).map(|k| f64::from(k) / 3.0).collect();
        assert!((regular_step(thirds).unwrap() - 1.0 / 3.0).abs() < 1e-5);
        let single: Vec<f64> = (0..2000).map(|k| f64::from(k as f32 * 0.01)).collect();
        assert_eq!(regular_step(single), Some(0.01));
        assert_eq!(regular_step(tenths().map(|x| 1e6 * x)), Some(1e5));
        for none in [vec![], vec![3.0; 5], uniform(1, 50), vec![0.0, 1.0, 1e8]] {
            assert_eq!(regular_step(none.clone()), None, "{none:?}");
        }
    }

    #[test]
    fn the_rule() {
        let of = |values: Vec<f64>| Repeats::of("a", values);
        assert_eq!(of(uniform(2, 500)), None);
        assert_eq!(of(vec![1.0]), None);
        // A chance pair in a small table is no repetition.
        assert_eq!(of([uniform(3, 18), vec![0.5, 0.5]].concat()), None);
        let ages: Vec<f64> = uniform(4, 1000).iter().map(|u| (60.0 * u).floor()).collect();
        let warning = of(ages).unwrap();
        assert!(warning.distinct <= 60 && warning.step == Some(1.0), "{warning:?}");
        let inflated = [uniform(5, 90), vec![-0.0; 5], vec![0.0; 5]].concat();
        let warning = of(inflated).unwrap();
        assert_eq!(
            (warning.distinct, warning.frequency, warning.most_frequent, warning.step),
            (91, 10, 0.0, None)
        );
        // 5 of 100 rows are a twentieth, not more; and 10 different values of 100 are a tenth, not fewer.
        assert_eq!(of([uniform(6, 95), vec![2.0; 5]].concat()), None);
        assert!(of([uniform(6, 94), vec![2.0; 6]].concat()).is_some());
        let tenth = |distinct: u32| (0..200).map(|i| f64::from(i % distinct)).collect::<Vec<f64>>();
        assert!(of(tenth(20)).is_none() && of(tenth(19)).is_some());
    }

    #[test]
    fn advice_is_a_line_of_a_recipe() {
        let line =
            |column: &str, values: &[f64]| Repeats::of(column, values.iter().copied()).unwrap().to_string();
        assert_eq!(
            line("age", &[2.0, 3.0, 2.0, 2.0]),
            "column \"age\" repeats its values (2 different ones in 4 rows, 2.0 in 3): a density there has no bound; \
             grid = { age = 1.0 } gives them probabilities"
        );
        let unknown = line("my age", &[0.0, 1.0, 2f64.sqrt(), 0.0, 0.0]);
        assert!(
            unknown
                .ends_with("; grid = { \"my age\" = step } gives them probabilities if they lie on a grid")
        );
    }
}
