//! The tables themselves: what `idode list` shows, and the order conditions.

use idode::solver::{BUILT_IN, Embedded, Tableau, tables};

#[test]
fn names_orders_and_stages() {
    let listed: Vec<_> = BUILT_IN
        .iter()
        .map(|t| (t.name, t.order, t.embedded.map(|e| e.order), t.stages(), t.first_same_as_last()))
        .collect();
    assert_eq!(
        listed,
        [
            ("euler", 1, None, 1, false),
            ("midpoint", 2, None, 2, false),
            ("heun", 2, Some(1), 2, false),
            ("rk4", 4, None, 4, false),
            ("bogacki_shampine", 3, Some(2), 4, true),
            ("dormand_prince", 5, Some(4), 7, true),
            ("tsitouras", 5, Some(4), 7, true),
        ]
    );
    assert!(BUILT_IN.iter().all(|t| !t.formula.is_empty() && !t.reference.is_empty()));
}

#[test]
fn every_table_meets_its_order_conditions() {
    for table in BUILT_IN {
        assert_eq!(table.check(1e-14).map_err(|error| error.to_string()), Ok(()));
    }
}

/// The embedded solution of Heun's method is Euler's method.
#[test]
fn embedded_weights_are_those_of_the_embedded_method() {
    assert_eq!(tables::HEUN.embedded_weights(), Some(vec![1.0, 0.0]));
    assert_eq!(tables::RK4.embedded_weights(), None);
}

/// Stated orders are not understated either: the next order's conditions fail.
#[test]
fn no_table_has_a_higher_order_than_stated() {
    for table in BUILT_IN {
        let higher = Tableau { order: table.order + 1, ..**table };
        assert!(higher.check(1e-9).is_err(), "{}", table.name);
        if let Some(Embedded { order, error }) = table.embedded {
            let higher = Tableau { embedded: Some(Embedded { order: order + 1, error }), ..**table };
            assert!(higher.check(1e-9).is_err(), "{}, embedded", table.name);
        }
    }
}

#[test]
fn a_wrong_table_is_named() {
    static TABLE: Tableau = Tableau {
        name: "wrong",
        formula: "",
        reference: "",
        order: 2,
        a: &[&[], &[0.5]],
        b: &[0.5, 0.5],
        c: &[0.0, 0.5],
        embedded: None,
    };
    let message = |table: Tableau| table.check(1e-14).expect_err("a mistake").to_string();
    assert_eq!(
        message(TABLE),
        "wrong: solution, order condition of [[]] = -2.5e-1: expected 0 to within 1e-14"
    );
    assert!(message(Tableau { c: &[0.0, 0.4], ..TABLE }).starts_with("wrong: sum of row 1 less c = "));
    assert!(!Tableau { c: &[0.0], ..TABLE }.well_formed());
    assert!(!Tableau { a: &[&[], &[0.5, 0.5]], ..TABLE }.well_formed());
    assert!(!Tableau { embedded: Some(Embedded { order: 1, error: &[0.0] }), ..TABLE }.well_formed());
    assert!(message(Tableau { c: &[0.0], ..TABLE }).contains("c of 1 rows"));
}
