use super::*;

/// Eight images around `mean`, of which every second is `spread` above and every other below.
fn rung(name: &str, k: u64, mean: f64, spread: f64) -> Rung {
    let side = |i: u32| if i.is_multiple_of(2) { spread } else { -spread };
    Rung::new(name, k, (0..8).map(|i| f64::from(i) + mean + side(i)).collect())
}

#[test]
fn a_ladder_in_order_has_no_violation() {
    let rungs = [rung("ode_uniform", 1, 2.0, 0.1), rung("ode_uniform", 5, 1.9, 0.0), rung(VLB, 1, 3.0, 0.2)];
    let exact = rung("", 1, 1.85, 0.0).values;
    assert_eq!(violations(&rungs, Some(&exact)), [""; 0]);
    // Rungs of other names are not compared.
    assert_eq!(violations(&[rung("a", 1, 1.0, 0.1), rung("b", 5, 2.0, 0.1)], None), [""; 0]);
}

#[test]
fn a_bound_that_gets_worse_is_said_with_its_error() {
    // Differences 0.1 +- 0.1: the standard error is 0.1 / sqrt 7.
    let rungs = [rung("ode_uniform", 2, 2.0, 0.0), rung("ode_uniform", 5, 2.1, 0.1)];
    assert_eq!(violations(&rungs, None), [""; 0]);
    let rungs = [rung("ode_uniform", 2, 2.0, 0.0), rung("ode_uniform", 5, 2.2, 0.1)];
    let line = "ode_uniform: K = 5 is worse than K = 2 by 0.2000 +- 0.0378 bits/dim";
    assert_eq!(violations(&rungs, None), [line]);
}

/// `ln K` nats of two dimensions that were not taken off: below what any model can have.
#[test]
fn a_bound_without_its_minus_ln_k_falls_below_the_exact_value() {
    let exact = rung("", 1, 2.0, 0.0).values;
    let lacks = 20f64.log2() / 2.0;
    let rungs = [rung("ode_uniform", 1, 2.01, 0.02), rung("ode_uniform", 20, 2.0 - lacks, 0.02)];
    let line =
        "ode_uniform, K = 20: below the exact value by 2.1610 +- 0.0076 bits/dim, which no bound can be";
    assert_eq!(violations(&rungs, Some(&exact)), [line]);
}

#[test]
fn two_ways_to_one_integral_agree() {
    let with = |name, mean| Rung { integrals: rung("", 1, mean, 0.1).values, ..rung(name, 1, 2.0, 0.0) };
    let mut rungs = [with(VLB, 1.0), with(IMMSE, 1.0)];
    rungs[1].integrals.iter_mut().for_each(|value| *value += 0.5);
    let line = "immse: its integral over noise levels is +0.5000 +- 0.0000 bits/dim from that of vlb";
    assert_eq!(violations(&rungs, None), [line]);
    assert_eq!(violations(&[with(VLB, 1.0), with(IMMSE, 1.0)], None), [""; 0]);
}

/// An image without a value is left out of every difference.
#[test]
fn what_has_no_value_is_left_out() {
    let mut late = rung("ode_uniform", 5, 1.9, 0.1);
    late.values[3] = f64::NAN;
    let late = Rung::new("ode_uniform", 5, late.values);
    assert_eq!(late.images, 7);
    assert_eq!(violations(&[rung("ode_uniform", 1, 2.0, 0.0), late], None), [""; 0]);
}
