//! The mathematics: the algebra of (a, b), the constants of importance sampling and of the
//! truncated normal, and what each dequantization costs an ideal model.

mod theory {
    mod algebra;
    mod dequantization;
    mod importance;
}
