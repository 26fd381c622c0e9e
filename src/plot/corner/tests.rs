use super::*;
use image::RgbImage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

fn names(d: usize) -> Vec<String> {
    (0..d).map(|j| format!("column {j}")).collect()
}

fn normal(seed: u64, rows: usize, d: usize) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..rows * d).map(|_| rng.sample::<f64, _>(StandardNormal)).collect()
}

fn decode(png: &Png) -> RgbImage {
    image::load_from_memory(png.bytes()).unwrap().to_rgb8()
}

/// Pixels that are rather blue, the colour of samples, within a box.
fn blue(image: &RgbImage, x: std::ops::Range<u32>, y: std::ops::Range<u32>) -> usize {
    let is_blue = |&[red, _, blue]: &[u8; 3]| i32::from(blue) - i32::from(red) > 60;
    y.flat_map(|y| x.clone().map(move |x| (x, y))).filter(|&(x, y)| is_blue(&image.get_pixel(x, y).0)).count()
}

#[test]
fn any_number_of_columns_is_drawn_and_six_at_most() {
    let width = |d: usize| {
        let image = decode(&corner(&names(d), &normal(1, 50, d), &normal(2, 40, d)).unwrap());
        image.dimensions()
    };
    assert_eq!(width(7), width(6));
    assert!([1, 2, 3].map(width).iter().all(|&(width, height)| width < 1400 && height < 1500));
}

#[test]
fn points_lie_where_their_values_are() {
    // Data on a square of side 2 around (0, 0), samples in its upper right quarter.
    let data = [-1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, -1.0];
    let samples: Vec<f64> = (0..200).flat_map(|i| [0.5 + 0.002 * f64::from(i), 0.7]).collect();
    let spreads = ["a", "b"].map(|name| Spread::new(name, vec![-1.0, 1.0], vec![]).unwrap());
    let layout = Layout::new(&spreads);
    let image = decode(&corner(&["a".into(), "b".into()], &data, &samples).unwrap());
    let (left, top) = layout.corner(1, 0);
    let [left, top, side] = [left, top, layout.side].map(i32::unsigned_abs);
    let half = side / 2;
    let (west, east) = (left..left + half, left + half..left + side);
    assert!(blue(&image, east, top..top + half) > 100);
    assert_eq!(blue(&image, west.clone(), top..top + half), 0);
    assert_eq!(blue(&image, west.start..west.start + side, top + half..top + side), 0);
}

#[test]
fn extremes_do_not_panic() {
    let long = "a very long name ".repeat(20);
    let inf = f64::INFINITY;
    for values in [
        vec![1e-300, 2e-300, 3e-300],
        vec![1e299, -1e299, 0.0],
        vec![5.0, 5.0, 5.0],
        vec![1e9, 1e9 + 1e-6, 1e9 + 2e-6],
        vec![0.0, f64::NAN, inf],
        vec![1.0],
    ] {
        for samples in [vec![], vec![f64::NAN], vec![-inf, 1e308, 0.0], values.clone()] {
            decode(&corner(std::slice::from_ref(&long), &values, &samples).unwrap());
        }
    }
    decode(&corner(&["".into(), "".into()], &[0.0, 1e9, 1.0, 1e-9], &[]).unwrap());
}

#[test]
fn what_is_no_table_is_an_error() {
    let line =
        |d: usize, data: &[f64], samples: &[f64]| corner(&names(d), data, samples).unwrap_err().to_string();
    assert_eq!(
        line(2, &[1.0; 3], &[]),
        "number of values of data = 3: expected a multiple of 2 columns, at least one"
    );
    assert!(line(2, &[1.0; 2], &[1.0]).starts_with("number of values of samples = 1"));
    assert!(line(0, &[], &[]).starts_with("number of values of data = 0"));
    assert!(line(1, &[], &[1.0]).ends_with("no finite value: expected at least one"));
}
